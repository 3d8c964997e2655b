package dev.multivisor.cli;

import dev.multivisor.api.Console;
import java.io.OutputStream;
import java.util.Optional;

/** What the default guest's own programs tell this one: that the shell is ready, and how a script ended. */
interface GuestSignals {
    /** For a guest that says nothing. */
    GuestSignals NONE = new GuestSignals() {
        @Override
        public boolean expected() {
            return false;
        }

        @Override
        public Optional<Integer> status() {
            return Optional.empty();
        }

        @Override
        public void awaitReady() {
            // takes input from the start
        }

        @Override
        public OutputStream console() {
            return OutputStream.nullOutputStream();
        }

        @Override
        public Console debug(Console output) {
            return output;
        }
    };

    /** Whether a script runs, so that an end without its status is a failure. */
    boolean expected();

    /** The script's status, once it has ended. */
    Optional<Integer> status();

    /** Waits until the guest can take input without losing it. */
    void awaitReady() throws InterruptedException;

    /** Where a copy of the console's output goes. */
    OutputStream console();

    /** Stands between the guest's debug console and where its output goes. */
    Console debug(Console output);
}
