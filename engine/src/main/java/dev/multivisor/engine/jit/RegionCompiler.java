package dev.multivisor.engine.jit;

import dev.multivisor.engine.cpu.CodeCompiler;
import dev.multivisor.engine.cpu.CompiledCode;
import dev.multivisor.engine.cpu.RegionSource;
import dev.multivisor.engine.isa.Decoder;
import dev.multivisor.engine.isa.Instruction;
import java.lang.constant.ClassDesc;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.lang.ref.WeakReference;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

/** Compiles regions to hidden classes, in a thread of its own that ends when there is nothing to do. */
public final class RegionCompiler implements CodeCompiler {
    private static final int THRESHOLD = 1000;

    private static final RegionCompiler SHARED = new RegionCompiler(THRESHOLD, true);

    private static final MethodType CONSTRUCTOR =
            MethodType.methodType(void.class, Instruction[].class, int.class, int.class);

    private final int threshold;
    private final ThreadPoolExecutor thread;

    /** What was compiled, as long as somebody uses it: machines with the same kernel share their code. */
    private final Map<RegionSource, WeakReference<CompiledCode>> known = new ConcurrentHashMap<>();

    private RegionCompiler(int threshold, boolean background) {
        this.threshold = threshold;
        thread = background ? executor() : null;
    }

    /** The one that all machines share. */
    public static RegionCompiler shared() {
        return SHARED;
    }

    /** One that compiles at once, in the caller's thread, what was executed so many times. */
    public static RegionCompiler immediate(int threshold) {
        return new RegionCompiler(threshold, false);
    }

    private static ThreadPoolExecutor executor() {
        ThreadPoolExecutor executor =
                new ThreadPoolExecutor(1, 1, 1, TimeUnit.SECONDS, new LinkedBlockingQueue<>(), task -> {
                    Thread thread = new Thread(task, "multivisor-compiler");
                    thread.setDaemon(true);
                    return thread;
                });
        executor.allowCoreThreadTimeOut(true);
        return executor;
    }

    @Override
    public int threshold() {
        return threshold;
    }

    @Override
    public void compile(RegionSource source, Consumer<CompiledCode> done) {
        if (thread == null) {
            done.accept(code(source));
        } else {
            thread.execute(() -> done.accept(code(source)));
        }
    }

    private CompiledCode code(RegionSource source) {
        WeakReference<CompiledCode> reference = known.get(source);
        CompiledCode code = reference == null ? null : reference.get();
        if (code == null) {
            code = compile(source);
            known.put(source, new WeakReference<>(code));
        }
        return code;
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
        } catch (Throwable e) {
            throw new IllegalStateException("compiled code cannot be loaded: " + e, e);
        }
    }
}
