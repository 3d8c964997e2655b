package dev.multivisor.engine.machine;

import dev.multivisor.api.EngineException;
import dev.multivisor.api.EngineParameter;
import dev.multivisor.api.MachineSpec;
import dev.multivisor.engine.cpu.CodeCompiler;
import dev.multivisor.engine.cpu.CpuModel;
import dev.multivisor.engine.jit.RegionCompiler;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.UUID;
import java.util.stream.Collectors;

/**
 * What a machine is to be on this engine: its specification, checked.
 *
 * @param cpus how many vCPUs
 * @param countedTime whether time passes by instructions
 * @param unpackOnHost whether a kernel is unpacked before it is started
 * @param sha whether the guest has the SHA extensions
 * @param slice instructions between two looks at the clock
 * @param compiler what compiles hot guest code
 * @param generation the machine's VM generation ID, if it has one: the one that was chosen, or else the one that a
 *     restored machine has and any one for a new machine
 */
record Settings(
        int cpus,
        boolean countedTime,
        boolean unpackOnHost,
        boolean sha,
        long slice,
        CodeCompiler compiler,
        Optional<Optional<UUID>> generation) {
    /** The feature that a machine with {@link #sha} has. */
    static final String SHA_FEATURE = "sha";

    /** The feature that a machine with a {@link #generation} has. */
    static final String GENERATION_FEATURE = "vmgenid";

    private static final String TIME = "time",
            PAYLOAD = "payload",
            SHA = "sha",
            SLICE = "slice",
            COMPILE = "compile",
            GENERATION = "vmgenid";
    private static final String ON = "on", OFF = "off";
    private static final String IDENTIFIER = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}";
    private static final long LEAST_SLICE = 1000, MOST_SLICE = 10_000_000;

    /** A parameter with the values that it can have, or else a pattern; neither for a number of instructions. */
    private record Choice(EngineParameter parameter, List<String> values) {
        Choice(String name, String description, String standard, String... values) {
            this(new EngineParameter(name, description, standard), List.of(values));
        }

        Optional<String> problem(String value) {
            String is = "parameter '" + parameter.name() + "': '" + value + "' is ";
            if (parameter.name().equals(GENERATION)) {
                return values.contains(value) || value.matches(IDENTIFIER)
                        ? Optional.empty()
                        : Optional.of(
                                is + "neither off nor on nor a GUID such as " + "01234567-89ab-cdef-0123-456789abcdef");
            }
            if (values.isEmpty()) {
                return number(value) < 0
                        ? Optional.of(is + "no number from " + LEAST_SLICE + " to " + MOST_SLICE)
                        : Optional.empty();
            }
            return values.contains(value)
                    ? Optional.empty()
                    : Optional.of(
                            values.size() == 2
                                    ? is + "neither " + values.get(0) + " nor " + values.get(1)
                                    : is + "none of " + String.join(", ", values));
        }
    }

    private static final List<Choice> CHOICES = List.of(
            new Choice(
                    TIME,
                    "what drives the guest's clocks: host, or instructions (repeatable)",
                    "host",
                    "host",
                    "instructions"),
            new Choice(PAYLOAD, "who unpacks a Linux bzImage: host, or guest", "host", "host", "guest"),
            new Choice(SHA, "the SHA extensions for the guest: off, or on; chosen at its start", OFF, OFF, ON),
            new Choice(
                    GENERATION,
                    "a VM generation ID, which tells copies of the guest that they are: off, or on; chosen at its start",
                    OFF,
                    OFF,
                    ON),
            new Choice(
                    SLICE,
                    "instructions between two looks at the clock: " + LEAST_SLICE + " to " + MOST_SLICE,
                    "10000"),
            new Choice(
                    COMPILE,
                    "which guest code is compiled: hot, off (none); for tests all, or some (run for the third time)",
                    "hot",
                    "hot",
                    "off",
                    "all",
                    "some"));

    /** What a specification may set. */
    static List<EngineParameter> parameters() {
        return CHOICES.stream().map(Choice::parameter).toList();
    }

    /** @throws EngineException with all that is wrong */
    static Settings of(MachineSpec spec) {
        List<String> problems = problems(spec);
        if (!problems.isEmpty()) {
            throw new EngineException(String.join("; ", problems));
        }
        Map<String, String> values = new TreeMap<>();
        CHOICES.forEach(choice -> values.put(choice.parameter.name(), choice.parameter.standard()));
        values.putAll(spec.parameters());
        return new Settings(
                spec.cpus(),
                values.get(TIME).equals("instructions"),
                values.get(PAYLOAD).equals("host"),
                values.get(SHA).equals(ON),
                number(values.get(SLICE)),
                compiler(values.get(COMPILE)),
                generation(values.get(GENERATION)));
    }

    private static CodeCompiler compiler(String which) {
        return switch (which) {
            case "off" -> CodeCompiler.NONE;
            case "all" -> RegionCompiler.immediate(0);
            case "some" -> RegionCompiler.immediate(3);
            default -> RegionCompiler.shared();
        };
    }

    private static Optional<Optional<UUID>> generation(String value) {
        return switch (value) {
            case OFF -> Optional.empty();
            case ON -> Optional.of(Optional.empty());
            default -> Optional.of(Optional.of(UUID.fromString(value)));
        };
    }

    /** What this engine cannot do, a line for each. */
    static List<String> problems(MachineSpec spec) {
        List<String> problems = new ArrayList<>();
        if (spec.cpus() < 1 || spec.cpus() > 255) {
            problems.add("cpus: " + spec.cpus() + ", must be 1 to 255");
        }
        if (!spec.cpuModel().equals("x86-64-v2")) {
            problems.add("cpu model '" + spec.cpuModel() + "': this engine has x86-64-v2");
        }
        new TreeMap<>(spec.parameters()).forEach((name, value) -> {
            Optional<Choice> known = CHOICES.stream()
                    .filter(choice -> choice.parameter.name().equals(name))
                    .findFirst();
            known.map(choice -> choice.problem(value))
                    .orElseGet(() -> Optional.of("parameter '" + name + "': this engine has " + names()))
                    .ifPresent(problems::add);
        });
        return problems;
    }

    private static String names() {
        return CHOICES.stream().map(choice -> choice.parameter.name()).collect(Collectors.joining(", "));
    }

    /** A number of instructions, or -1 if it is none or out of bounds. */
    private static long number(String text) {
        long value = text.matches("[0-9]{1,18}") ? Long.parseLong(text) : -1;
        return value >= LEAST_SLICE && value <= MOST_SLICE ? value : -1;
    }

    /** What the machine has beyond the first engine's. */
    Set<String> features() {
        Set<String> features = new TreeSet<>();
        if (sha) {
            features.add(SHA_FEATURE);
        }
        if (generation.isPresent()) {
            features.add(GENERATION_FEATURE);
        }
        return features;
    }

    /** Why a machine with these features cannot become this one, a line for each reason. */
    List<String> changes(Set<String> present) {
        List<String> problems = new ArrayList<>();
        change(SHA, SHA_FEATURE, "CPU stays as it is", present).ifPresent(problems::add);
        change(GENERATION, GENERATION_FEATURE, "board stays as it is", present).ifPresent(problems::add);
        return problems;
    }

    private Optional<String> change(String parameter, String feature, String why, Set<String> present) {
        boolean wanted = features().contains(feature);
        return wanted == present.contains(feature)
                ? Optional.empty()
                : Optional.of("parameter '" + parameter + "': cannot be turned "
                        + (wanted ? "on: the guest was started without" : "off: the guest was started with it")
                        + ", and its " + why);
    }

    CpuModel cpuModel() {
        return new CpuModel(cpus, Tsc.KHZ, Tsc.KHZ, sha);
    }
}
