package dev.multivisor.host;

import dev.multivisor.api.EngineException;
import dev.multivisor.api.Machine;
import dev.multivisor.api.PageObserver;
import dev.multivisor.api.PageTracking;
import java.util.Collection;
import java.util.HashSet;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import java.util.function.BooleanSupplier;

/**
 * Page tracking on whichever engine the machine is. Before the machine goes on somewhere else, the target is told what
 * is watched: first without a lock, so that an engine that hangs holds up nobody, and then, under the lock, what has
 * changed meanwhile.
 */
final class EngineTracking {
    /** How long a handover waits for a write on somebody's behalf that is under way. */
    private static final long WRITE_MILLIS = 1;

    private final String machine;
    private final Execution execution;
    private final PageObserver observer;
    private final PageBits bits;

    /** Held by whoever changes what is watched. Taken after the next one, and before the execution's. */
    private final ReentrantLock lock = new ReentrantLock();

    /** Shared by those who write through an engine, alone for a change of engines. */
    private final ReentrantReadWriteLock writing = new ReentrantReadWriteLock();

    // Guarded by the lock:
    private final Set<Long> frames;
    private int users;
    private boolean closed;
    private long changes;
    private Optional<PageTracking> here = Optional.empty();
    private Watched last = new Watched(Set.of(), new long[0], 0);

    /** What is watched at a time: {@link #changes} then. */
    private record Watched(Set<Long> frames, long[] array, long changes) {}

    /** @param frames all that are watched, changed under the lock */
    EngineTracking(String machine, Execution execution, PageObserver observer, PageBits bits, Set<Long> frames) {
        this.machine = machine;
        this.execution = execution;
        this.observer = observer;
        this.bits = bits;
        this.frames = frames;
    }

    void lock() {
        lock.lock();
    }

    void unlock() {
        lock.unlock();
    }

    // ---- With the lock held ----

    /** Somebody begins to watch something. */
    void use() {
        requireOpen();
        current();
        users++;
        changes++;
    }

    void endUse() {
        users--;
        changes++;
    }

    void track(Collection<Long> more) {
        changes++;
        if (!more.isEmpty()) {
            current().track(array(more));
        }
    }

    void untrack(Collection<Long> fewer) {
        changes++;
        if (!fewer.isEmpty() && !closed) {
            current().untrack(array(fewer));
        }
    }

    /** Bits of pages were changed. */
    void refresh() {
        current().refresh();
    }

    void close() {
        closed = true;
        here = Optional.empty();
    }

    void requireOpen() {
        if (closed) {
            throw isClosed(null);
        }
    }

    HostException isClosed(Throwable cause) {
        return new HostException("machine " + machine + ": is closed", cause);
    }

    private PageTracking current() {
        if (here.isEmpty()) {
            Execution.Residence home = execution.home();
            if (!home.engine().engine().tracksPages()) {
                throw new HostException(
                        "machine " + machine + ": engine " + home.engine().jar().version() + " cannot track pages");
            }
            here = Optional.of(attach(home.machine()));
        }
        return here.get();
    }

    private PageTracking attach(Machine to) {
        PageTracking tracking = to.tracking();
        tracking.observe(observer, bits.dirty(), bits.keep());
        return tracking;
    }

    /** Thousands of pages take longer to be looked through than a handover may: those of the last time, if they still are. */
    private Watched watched() {
        if (last.changes != changes) {
            last = new Watched(Set.copyOf(frames), array(frames), changes);
        }
        return last;
    }

    private static long[] array(Collection<Long> some) {
        return some.stream().mapToLong(Long::longValue).toArray();
    }

    // ---- Without it ----

    void write(long address, byte[] bytes) {
        writing.readLock().lock();
        try {
            PageTracking tracking;
            lock.lock();
            try {
                requireOpen();
                tracking = current();
            } finally {
                lock.unlock();
            }
            try {
                tracking.write(address, bytes);
            } catch (IllegalStateException e) {
                throw closed() ? isClosed(e) : e;
            }
        } finally {
            writing.readLock().unlock();
        }
    }

    /** Whether memory may be gone under whoever has begun to use it. */
    private boolean closed() {
        lock.lock();
        try {
            return closed;
        } finally {
            lock.unlock();
        }
    }

    /** Why an engine cannot take the machine over, empty if it can; to be asked before the machine is stopped for that. */
    String refusal(LoadedEngine target) {
        lock.lock();
        try {
            watched();
            return users == 0 || target.engine().tracksPages()
                    ? ""
                    : "engine " + target.jar().version() + " cannot track pages, as "
                            + (users == 1 ? "a user" : users + " users") + " of this machine's memory "
                            + (users == 1 ? "wants" : "want");
        } finally {
            lock.unlock();
        }
    }

    // ---- Handovers ----

    /** How many pages a target would be told of. */
    int watchedPages() {
        lock.lock();
        try {
            return users == 0 ? 0 : watched().array.length;
        } finally {
            lock.unlock();
        }
    }

    /** A machine that knows what was watched at a time. */
    record Armed(Optional<PageTracking> tracking, Watched watched) {}

    /**
     * Tells the machine on the target what is watched, while no vCPU runs.
     *
     * @throws EngineException from an engine that cannot track pages
     */
    Armed arm(Machine target) {
        Watched watched;
        lock.lock();
        try {
            watched = watched();
            if (users == 0) {
                return new Armed(Optional.empty(), watched);
            }
        } finally {
            lock.unlock();
        }
        return new Armed(Optional.of(arm(target, watched)), watched);
    }

    private PageTracking arm(Machine target, Watched watched) {
        PageTracking tracking = attach(target);
        if (watched.array.length > 0) {
            tracking.track(watched.array.clone());
        }
        return tracking;
    }

    /**
     * Commits a handover, if nothing is in the way: from then on the target is told of changes.
     *
     * @param decision makes the vCPUs go on at the target, if it is not too late
     * @return whether they do
     */
    boolean commit(Machine target, Armed armed, BooleanSupplier decision) {
        boolean alone;
        try {
            alone = writing.writeLock().tryLock(WRITE_MILLIS, TimeUnit.MILLISECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            alone = false;
        }
        if (!alone) {
            throw new HostException("machine " + machine + ": somebody's write to guest memory is under way");
        }
        lock.lock();
        try {
            Optional<PageTracking> there = caughtUp(target, armed);
            if (!decision.getAsBoolean()) {
                return false;
            }
            here = there;
            return true;
        } finally {
            lock.unlock();
            writing.writeLock().unlock();
        }
    }

    private Optional<PageTracking> caughtUp(Machine target, Armed armed) {
        if (armed.tracking.isEmpty()) {
            return users == 0 ? armed.tracking : Optional.of(arm(target, watched()));
        }
        if (armed.watched.changes != changes) {
            Set<Long> more = new HashSet<>(frames);
            more.removeAll(armed.watched.frames);
            Set<Long> fewer = new HashSet<>(armed.watched.frames);
            fewer.removeAll(frames);
            armed.tracking.get().track(array(more));
            armed.tracking.get().untrack(array(fewer));
        }
        return armed.tracking;
    }
}
