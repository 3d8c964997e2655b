package dev.multivisor.cli;

import java.io.ByteArrayOutputStream;

/**
 * Finds what is meant for this program in what a person types: Ctrl-] and a key. Everything else is the guest's.
 */
final class EscapeKeys {
    static final int ESCAPE = 0x1d;
    static final String HELP = "Ctrl-] then q quits, s shows statistics, Ctrl-] sends Ctrl-]";

    /** What a key after Ctrl-] asks for. */
    interface Actions {
        void quit();

        void statistics();

        void help();
    }

    private final Actions actions;
    private boolean escaped;

    EscapeKeys(Actions actions) {
        this.actions = actions;
    }

    /** Carries out what is this program's and returns what is the guest's. */
    byte[] filter(byte[] typed, int size) {
        ByteArrayOutputStream rest = new ByteArrayOutputStream(size);
        for (int n = 0; n < size; n++) {
            int key = typed[n] & 0xff;
            if (!escaped) {
                if (key == ESCAPE) {
                    escaped = true;
                } else {
                    rest.write(key);
                }
                continue;
            }
            escaped = false;
            switch (key) {
                case ESCAPE -> rest.write(key);
                case 'q', 'Q', 'x' -> actions.quit();
                case 's' -> actions.statistics();
                default -> actions.help();
            }
        }
        return rest.toByteArray();
    }
}
