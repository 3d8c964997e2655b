package dev.multivisor.engine.cpu;

import java.util.List;
import java.util.Optional;
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
        public void compile(RegionSource source, IntSupplier heat, Consumer<Optional<CompiledCode>> done) {}
    };

    /** How often a short block is interpreted before a region that begins with it is compiled; a long one less often. */
    int threshold();

    /** Whether it compiles while the guest goes on: then what it hands out is tried first. */
    default boolean background() {
        return false;
    }

    /**
     * Compiles a region, now or later.
     *
     * @param heat tells at any time how urgent it is; from any thread
     * @param done is given the result, empty if there is none, by any thread
     */
    void compile(RegionSource source, IntSupplier heat, Consumer<Optional<CompiledCode>> done);

    /** Compiles a region at once, in the calling thread, for later; empty if it does not. */
    default Optional<CompiledCode> compileAhead(RegionSource source) {
        return Optional.empty();
    }

    /** Keeps what it made for a machine that goes away: it, or one with the same programs, may come soon. */
    default void keep(List<CompiledCode> codes) {}

    /**
     * Lists what it made, for people. Takes as long as compiling it.
     *
     * @param code what it has handed out
     * @param start the linear address that the region is entered at
     */
    default Optional<CodeListing> list(CompiledCode code, long start) {
        return Optional.empty();
    }
}
