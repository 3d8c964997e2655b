package dev.multivisor.engine.jit;

import dev.multivisor.engine.cpu.CodeCompiler;
import dev.multivisor.engine.cpu.CodeListing;
import dev.multivisor.engine.cpu.CompiledCode;
import dev.multivisor.engine.cpu.RegionSource;
import dev.multivisor.engine.isa.Decoder;
import dev.multivisor.engine.isa.Instruction;
import java.lang.constant.ClassDesc;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.lang.ref.SoftReference;
import java.lang.ref.WeakReference;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Consumer;
import java.util.function.IntSupplier;

/**
 * Compiles regions to hidden classes, the hottest first, in a thread that ends when there is nothing to do.
 *
 * <p>New bytecode is slower than the interpreter of guest code until HotSpot has compiled it, and HotSpot's quick
 * compiler takes some milliseconds for a region. So a region is handed out only when it is quick: it is called without
 * a budget, which does nothing, until that takes no longer than compiled code does. One after the other, so that
 * HotSpot's queue stays short and the hottest region never waits behind many others.
 */
public final class RegionCompiler implements CodeCompiler {
    private static final int THRESHOLD = 200_000;

    /** Calls in a batch whose time is taken; HotSpot compiles after 200 calls. */
    private static final int BATCH = 300;

    /** Nanoseconds for a call in the JVM's interpreter are above, in compiled code below. */
    private static final long QUICK_CALL = 60;

    /** Nanoseconds after which a region is handed out in any case. */
    private static final long PATIENCE = 300_000_000;

    /** Regions with code at a time: some 50 KB each with all that HotSpot keeps of them. */
    private static final int MOST_REGIONS = 4000;

    /** Of how many machines that went away the code is kept. */
    private static final int MOST_KEPT = 8;

    private static final System.Logger LOG = System.getLogger(RegionCompiler.class.getName());

    private static final RegionCompiler SHARED = new RegionCompiler(THRESHOLD, true);

    private static final MethodType CONSTRUCTOR =
            MethodType.methodType(void.class, Instruction[].class, int.class, int.class);

    private record Request(RegionSource source, IntSupplier heat, Consumer<Optional<CompiledCode>> done) {}

    private final int threshold;
    private final boolean background;

    /** What is to be compiled, and whether a thread is at work. Guarded by this. */
    private final List<Request> requests = new ArrayList<>();

    private boolean working;

    /** What was compiled, as long as somebody uses it: machines with the same kernel share their code. */
    private final Map<RegionSource, WeakReference<CompiledCode>> known = new ConcurrentHashMap<>();

    /** What the machines that went away last had, while there is plenty of memory. Guarded by itself. */
    private final Deque<SoftReference<List<CompiledCode>>> kept = new ArrayDeque<>();

    private RegionCompiler(int threshold, boolean background) {
        this.threshold = threshold;
        this.background = background;
    }

    /** The one that all machines share. */
    public static RegionCompiler shared() {
        return SHARED;
    }

    /** One that compiles at once, in the caller's thread, what was executed so many times. */
    public static RegionCompiler immediate(int threshold) {
        return new RegionCompiler(threshold, false);
    }

    @Override
    public int threshold() {
        return threshold;
    }

    @Override
    public boolean background() {
        return background;
    }

    @Override
    public void compile(RegionSource source, IntSupplier heat, Consumer<Optional<CompiledCode>> done) {
        if (!background) {
            done.accept(code(source));
            return;
        }
        synchronized (this) {
            requests.add(new Request(source, heat, done));
            if (!working) {
                working = true;
                Thread thread = new Thread(this::work, "guest-code-compiler");
                thread.setDaemon(true);
                thread.start();
            }
        }
    }

    @Override
    public Optional<CompiledCode> compileAhead(RegionSource source) {
        return code(source);
    }

    @Override
    public void keep(List<CompiledCode> codes) {
        // Most machines that are made for a rehearsal never run.
        if (!codes.isEmpty()) {
            synchronized (kept) {
                kept.addLast(new SoftReference<>(List.copyOf(codes)));
                if (kept.size() > MOST_KEPT) {
                    kept.removeFirst();
                }
            }
        }
    }

    private void work() {
        for (Request next = hottest(); next != null; next = hottest()) {
            next.done.accept(code(next.source));
        }
    }

    private synchronized Request hottest() {
        Request hottest = null;
        for (Request request : requests) {
            if (hottest == null || request.heat.getAsInt() > hottest.heat.getAsInt()) {
                hottest = request;
            }
        }
        requests.remove(hottest);
        working = hottest != null;
        return hottest;
    }

    /** Compiled code for a region, unless there is too much of it already or this region cannot be compiled. */
    private Optional<CompiledCode> code(RegionSource source) {
        WeakReference<CompiledCode> reference = known.get(source);
        CompiledCode code = reference == null ? null : reference.get();
        if (code != null) {
            return Optional.of(code);
        }
        if (known.size() >= MOST_REGIONS) {
            known.values().removeIf(unused -> unused.get() == null);
            if (known.size() >= MOST_REGIONS) {
                return Optional.empty();
            }
        }
        try {
            code = compile(source);
        } catch (RuntimeException | LinkageError e) {
            // The guest is interpreted there, as it was until now.
            LOG.log(System.Logger.Level.DEBUG, "a region of guest code cannot be compiled", e);
            return Optional.empty();
        }
        known.put(source, new WeakReference<>(code));
        if (background) {
            warmUp(code);
        }
        return Optional.of(code);
    }

    /** Waits until HotSpot has compiled it. */
    private static void warmUp(CompiledCode code) {
        long end = System.nanoTime() + PATIENCE;
        long before = System.nanoTime();
        while (before < end) {
            for (int n = 0; n < BATCH; n++) {
                code.run(null, 0, 0);
            }
            long after = System.nanoTime();
            if (after - before < BATCH * QUICK_CALL) {
                return;
            }
            try {
                Thread.sleep(1);
            } catch (InterruptedException e) {
                return;
            }
            before = System.nanoTime();
        }
    }

    @Override
    public Optional<CodeListing> list(CompiledCode code, long start) {
        return known.entrySet().stream()
                .filter(entry -> entry.getValue().refersTo(code))
                .findFirst()
                .map(entry -> Listing.of(entry.getKey(), start));
    }

    private static CompiledCode compile(RegionSource source) {
        Decoder decoder = new Decoder();
        List<CodePart> parts =
                source.parts().stream().map(part -> CodePart.of(part, decoder)).toList();
        ClassDesc name = ClassDesc.of(RegionCompiler.class.getPackageName(), "Region");
        RegionEmitter.Result result = new RegionEmitter(parts, source.ordered()).emit(name);
        try {
            MethodHandles.Lookup lookup = MethodHandles.lookup().defineHiddenClass(result.classFile(), true);
            MethodHandle constructor = lookup.findConstructor(lookup.lookupClass(), CONSTRUCTOR);
            return (CompiledCode) constructor.invoke(result.handled(), result.exits(), result.longest());
        } catch (Error e) {
            throw e;
        } catch (Throwable e) {
            throw new IllegalStateException("compiled code cannot be loaded: " + e, e);
        }
    }
}
