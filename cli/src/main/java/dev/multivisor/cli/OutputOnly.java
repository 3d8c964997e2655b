package dev.multivisor.cli;

import dev.multivisor.api.Console;

/** A console that takes what the guest prints and has nothing for it to read. */
record OutputOnly(Console target) implements Console {
    @Override
    public void write(byte value) {
        target.write(value);
    }

    @Override
    public int read() {
        return -1;
    }

    @Override
    public void onInput(Runnable listener) {
        // there is never any
    }
}
