package dev.multivisor.host;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class ProgressTest {
    private static final long MILLI = 1_000_000;

    private final Progress progress = new Progress();

    /** When it is found to stand still, looked at each 100 ms; 0 if it is not within a minute. */
    private long stallAfter(long cpuMillisEachLook, boolean runnable) {
        assertFalse(progress.stalled(7, false, 0, true, 0));
        for (long look = 1; look <= 600; look++) {
            if (progress.stalled(7, false, look * cpuMillisEachLook * MILLI, runnable, look * 100 * MILLI)) {
                return look * 100;
            }
        }
        return 0;
    }

    @Test
    void anEngineThatUsesAProcessorInVainIsFound() {
        assertEquals(1100, stallAfter(100, true));
    }

    @Test
    void anEngineThatWaitsForSomethingIsFound() {
        assertEquals(1100, stallAfter(0, false));
    }

    @Test
    void aThreadThatGetsNoProcessorHasMoreTime() {
        assertEquals(10_100, stallAfter(0, true));
    }

    @Test
    void aBusyHostIsNotTheEnginesFault() {
        // A processor shared by fifty: 2 ms of each 100 ms.
        long cpu = 0;
        for (long look = 0; look < 600; look++) {
            cpu += 2 * MILLI;
            // Something is executed in each fifth second.
            assertFalse(progress.stalled(look / 50, false, cpu, true, look * 100 * MILLI));
        }
    }

    @Test
    void aVcpuThatRestsOrExecutesIsFine() {
        for (long look = 0; look < 600; look++) {
            assertFalse(progress.stalled(0, true, look * 100 * MILLI, true, look * 100 * MILLI));
        }
        for (long look = 0; look < 600; look++) {
            assertFalse(progress.stalled(look, false, look * 100 * MILLI, false, look * 100 * MILLI));
        }
        assertTrue(progress.stalled(599, false, 100_000 * MILLI, false, 100_000 * MILLI));
    }

    /** Who looks only once in two seconds has not seen what was between. */
    @Test
    void oneLookIsNotEnough() {
        for (long look = 0; look < 9; look++) {
            assertFalse(progress.stalled(7, false, 0, false, look * 2000 * MILLI));
        }
    }
}
