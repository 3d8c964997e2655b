package dev.multivisor.engine.cpu;

import dev.multivisor.engine.jit.RegionCompiler;
import java.util.Map;
import java.util.TreeMap;

/** What the tests run with: the property {@code multivisor.test.compile} is off, all, or some. */
public final class TestCompiler {
    /** The name of the mode. */
    public static final String MODE = System.getProperty("multivisor.test.compile", "off");

    /** Compiles nothing, everything that is executed, or what is executed for the third time. */
    public static final CodeCompiler CHOSEN = switch (MODE) {
        case "off" -> CodeCompiler.NONE;
        case "all" -> RegionCompiler.immediate(0);
        case "hot" -> RegionCompiler.shared();
        case "some" -> RegionCompiler.immediate(3);
        default -> throw new IllegalArgumentException("multivisor.test.compile: " + MODE);
    };

    private TestCompiler() {}

    /** A machine's parameters, with that of the mode unless they have one. */
    public static Map<String, String> parameters(Map<String, String> others) {
        Map<String, String> all = new TreeMap<>(others);
        all.putIfAbsent("compile", MODE);
        return all;
    }
}
