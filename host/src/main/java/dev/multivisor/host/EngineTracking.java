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

    /** Why an engine cannot take the machine over, empty if it can. */
    String refusal(LoadedEngine target) {
        lock.lock();
        try {
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

    /** A machine that knows what was watched at a time. */
    record Armed(Optional<PageTracking> tracking, Set<Long> frames, long changes) {}

    /**
     * Tells the machine on the target what is watched, while no vCPU runs.
     *
     * @throws EngineException from an engine that cannot track pages
     */
    Armed arm(Machine target) {
        Set<Long> watched;
        long version;
        lock.lock();
        try {
            version = changes;
            watched = Set.copyOf(frames);
            if (users == 0) {
                return new Armed(Optional.empty(), watched, version);
            }
        } finally {
            lock.unlock();
        }
        return arm(target, watched, version);
    }

    private Armed arm(Machine target, Set<Long> watched, long version) {
        PageTracking tracking = attach(target);
        if (!watched.isEmpty()) {
            tracking.track(array(watched));
        }
        return new Armed(Optional.of(tracking), watched, version);
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
            return users == 0 ? armed.tracking : arm(target, frames, changes).tracking;
        }
        if (armed.changes != changes) {
            Set<Long> more = new HashSet<>(frames);
            more.removeAll(armed.frames);
            Set<Long> fewer = new HashSet<>(armed.frames);
            fewer.removeAll(frames);
            armed.tracking.get().track(array(more));
            armed.tracking.get().untrack(array(fewer));
        }
        return armed.tracking;
    }
}
