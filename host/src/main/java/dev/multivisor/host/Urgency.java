package dev.multivisor.host;

import java.util.ArrayList;
import java.util.List;

/**
 * For the time of a handover's pause its threads go before all others, so that the guest does not wait while the JVM's
 * compilers, or another process, have the processors. It is taken back whatever happens: a thread that hangs in an engine
 * must not keep a processor for itself.
 */
final class Urgency {
    /** Priorities: a mover that is woken goes before the vCPUs, which wait for it then. */
    static final int VCPU = 2;

    static final int MOVER = 3;

    private final List<Integer> threads = new ArrayList<>();
    private boolean over;

    /** For these threads, from now on until {@link #end}; whether the system lets them all, which needs a privilege. */
    synchronized boolean begin(int priority, List<Integer> wanted) {
        // With one processor, one that hangs would leave none to whoever has to find that out.
        boolean possible = !over && Runtime.getRuntime().availableProcessors() > 1;
        for (int thread : wanted) {
            possible = possible && HostScheduler.urgent(thread, priority);
            if (possible) {
                threads.add(thread);
            }
        }
        return possible;
    }

    /** Never again. */
    synchronized void end() {
        over = true;
        // Last what was first, which may be the caller: no longer urgent it would not get a processor from those that
        // still are.
        threads.reversed().forEach(HostScheduler::usual);
        threads.clear();
    }
}
