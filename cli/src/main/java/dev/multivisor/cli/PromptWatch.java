package dev.multivisor.cli;

import java.io.OutputStream;
import java.util.concurrent.CountDownLatch;

/**
 * Waits for the default guest's first prompt. What arrives on a serial line before somebody reads it is lost, so that
 * piped input is held back until then.
 */
final class PromptWatch extends OutputStream {
    private static final String PROMPT = "~ # ";

    private final CountDownLatch seen = new CountDownLatch(1);
    private int matched;

    @Override
    public void write(int value) {
        if (seen.getCount() > 0) {
            matched = value == PROMPT.charAt(matched) ? matched + 1 : value == PROMPT.charAt(0) ? 1 : 0;
            if (matched == PROMPT.length()) {
                seen.countDown();
                matched = 0;
            }
        }
    }

    void await() throws InterruptedException {
        seen.await();
    }
}
