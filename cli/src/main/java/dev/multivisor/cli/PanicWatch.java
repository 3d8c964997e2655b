package dev.multivisor.cli;

import java.io.OutputStream;
import java.nio.charset.StandardCharsets;

/**
 * Reads along on the console for a Linux kernel's last words. Only a line that begins as a kernel's message does
 * counts; a guest can fake one, and gets the exit status of a panic for it.
 */
final class PanicWatch extends OutputStream {
    private static final String PANIC = "Kernel panic - not syncing";
    private static final String LAST = "---[ end Kernel panic - not syncing";
    private static final int LONGEST = 400;

    private final StringBuilder line = new StringBuilder();
    private volatile String message = "";
    private volatile long lastWords;

    @Override
    public void write(int value) {
        write(new byte[] {(byte) value}, 0, 1);
    }

    @Override
    public void write(byte[] bytes, int offset, int size) {
        for (int n = offset; n < offset + size; n++) {
            int value = bytes[n] & 0xff;
            if (value == '\n') {
                look();
                line.setLength(0);
            } else if (line.length() < LONGEST && value != '\r') {
                line.append((char) value);
            }
        }
    }

    private void look() {
        if (line.indexOf("Kernel panic") < 0) {
            return;
        }
        String text = new String(line.toString().getBytes(StandardCharsets.ISO_8859_1), StandardCharsets.UTF_8);
        String said = text.replaceFirst("^(<\\d>)?\\[ *\\d+\\.\\d+\\](\\[ *[TC]\\d+\\])? ", "");
        if (said.startsWith(PANIC) && message.isEmpty()) {
            message = said.replaceAll("\\p{Cntrl}", "");
        } else if (said.startsWith(LAST)) {
            lastWords = System.nanoTime();
        }
    }

    /** The panic's message; empty while there was none. */
    String message() {
        return message;
    }

    /** Whether the kernel is done with its panic and has had a second to reset the machine, if it means to. */
    boolean over() {
        return lastWords != 0 && System.nanoTime() - lastWords > 1_000_000_000L;
    }
}
