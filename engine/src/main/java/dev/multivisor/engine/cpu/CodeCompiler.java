package dev.multivisor.engine.cpu;

import java.util.function.Consumer;
import java.util.function.IntSupplier;

/** Makes compiled code from regions of guest code. Thread-safe. */
public interface CodeCompiler {
    /** Compiles nothing. */
    CodeCompiler NONE = new CodeCompiler() {
        @Override
        public int threshold() {
            return Integer.MAX_VALUE;
        }

        @Override
        public void compile(RegionSource source, IntSupplier heat, Consumer<CompiledCode> done) {}
    };

    /** How often a block is interpreted before a region that begins with it is compiled. */
    int threshold();

    /**
     * Compiles a region, now or later.
     *
     * @param heat tells at any time how urgent it is; from any thread
     * @param done is given the result, by any thread; not called when there is none
     */
    void compile(RegionSource source, IntSupplier heat, Consumer<CompiledCode> done);
}
