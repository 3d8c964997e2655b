package dev.multivisor.dist;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaModifier;
import com.tngtech.archunit.library.GeneralCodingRules;
import com.tngtech.archunit.library.dependencies.SliceAssignment;
import com.tngtech.archunit.library.dependencies.SliceIdentifier;
import java.io.IOException;
import java.lang.module.ModuleDescriptor;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** The rules that keep an engine replaceable. */
class ArchitectureTest {
    private static final int CONTRACT_TYPES = 25;
    private static final int FILE_LINES = 700;

    @Test
    void theContractIsSmallAndNeedsNothing() throws Exception {
        List<String> types = Modules.imported("api").stream()
                .filter(type -> type.getModifiers().contains(JavaModifier.PUBLIC))
                .map(JavaClass::getName)
                .toList();
        assertTrue(types.size() <= CONTRACT_TYPES, "public types of the contract: " + types);
        assertEquals(Set.of("java.base"), requires("api"));
        classes()
                .should()
                .onlyDependOnClassesThat()
                .resideInAnyPackage("dev.multivisor.api", "java..")
                .check(Modules.imported("api"));
    }

    @Test
    void anEngineExportsNothingAndProvidesOneService() throws Exception {
        ModuleDescriptor engine = Modules.descriptor("engine");
        assertEquals("dev.multivisor.engine", engine.name());
        assertEquals(Set.of(), engine.exports());
        assertEquals(
                Set.of("dev.multivisor.api.Engine"),
                engine.provides().stream()
                        .map(ModuleDescriptor.Provides::service)
                        .collect(Collectors.toSet()));
        assertTrue(engine.opens().stream().allMatch(ModuleDescriptor.Opens::isQualified), "opens to everybody");
        noClasses()
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage(
                        "dev.multivisor.host..",
                        "dev.multivisor.images..",
                        "dev.multivisor.snapshots..",
                        "dev.multivisor.watch..",
                        "dev.multivisor.shadow..",
                        "dev.multivisor.server..",
                        "dev.multivisor.cli..")
                .check(Modules.imported("engine"));
    }

    @Test
    void nobodyKnowsAnEngineButByItsService() throws Exception {
        for (String module : List.of("api", "host", "images", "snapshots", "watch", "shadow", "server", "cli")) {
            assertTrue(!requires(module).contains("dev.multivisor.engine"), module);
        }
        noClasses()
                .should()
                .dependOnClassesThat()
                .resideInAPackage("dev.multivisor.engine..")
                .check(Modules.imported("api", "host", "images", "snapshots", "watch", "shadow", "server", "cli"));
    }

    /**
     * What cannot be upgraded must not be attackable: the base passes on what a guest sends, but has nothing at hand
     * to take it apart with, and does not look into guest memory.
     */
    @Test
    void theBaseDoesNotReadWhatAGuestWrote() throws Exception {
        // java.management tells the processor time of vCPU threads.
        assertEquals(Set.of("java.base", "java.management", "dev.multivisor.api"), requires("host"));
        noClasses()
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage("java.nio.charset..", "java.util.regex..")
                .andShould()
                .haveSimpleNameNotStartingWith("MemorySize")
                .check(Modules.imported("host"));
        // The two that call the C library, one of them with what it takes about threads.
        noClasses()
                .that()
                .doNotHaveSimpleName("Libc")
                .and()
                .doNotHaveSimpleName("HostScheduler")
                .should()
                .dependOnClassesThat()
                .haveFullyQualifiedName("java.lang.foreign.ValueLayout")
                .check(Modules.imported("host"));
    }

    /** Control stands on the base: it knows machines, engines by their versions, and neither guests nor commands. */
    @Test
    void controlSeesTheBaseOnly() throws Exception {
        assertEquals(
                Set.of("dev.multivisor.host", "dev.multivisor.snapshots", "dev.multivisor.watch"),
                requires("server").stream()
                        .filter(name -> name.startsWith("dev.multivisor."))
                        .collect(Collectors.toSet()));
        assertEquals(
                Set.of("dev.multivisor.server"),
                Modules.descriptor("server").exports().stream()
                        .map(ModuleDescriptor.Exports::source)
                        .collect(Collectors.toSet()));
        noClasses()
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage(
                        "dev.multivisor.api..",
                        "dev.multivisor.engine..",
                        "dev.multivisor.images..",
                        "dev.multivisor.cli..")
                .check(Modules.imported("server"));
    }

    /** Who watches a guest's pages needs the base and nothing else, so that anybody can. */
    @Test
    void usersOfPageTrackingNeedTheBaseOnly() throws Exception {
        for (String module : List.of("watch", "shadow")) {
            assertEquals(Set.of("java.base", "dev.multivisor.host"), requires(module), module);
            noClasses()
                    .should()
                    .dependOnClassesThat()
                    .haveFullyQualifiedName("java.lang.foreign.MemorySegment")
                    .check(Modules.imported(module));
        }
    }

    /**
     * The parts of a module depend on each other in one direction. The processor and its memory management, whose
     * faults and page walks need each other, are one part; a folder below a part belongs to it. What devices and the
     * processor say to each other, the package {@code device}, is not part of either.
     */
    @Test
    void partsHaveNoCycles() {
        for (String module : List.of("host", "engine", "images", "snapshots", "watch", "shadow", "server", "cli")) {
            slices().assignedFrom(new Parts("dev.multivisor." + module + "."))
                    .should()
                    .beFreeOfCycles()
                    .allowEmptyShould(true)
                    .check(Modules.imported(module));
        }
    }

    private record Parts(String prefix) implements SliceAssignment {
        private static final Map<String, String> TOGETHER = Map.of("cpu", "processor", "mmu", "processor");

        @Override
        public SliceIdentifier getIdentifierOf(JavaClass type) {
            if (!type.getPackageName().startsWith(prefix)) {
                return SliceIdentifier.ignore();
            }
            String name = type.getPackageName().substring(prefix.length());
            String part = name.split("\\.")[0];
            return SliceIdentifier.of(name.startsWith("device.") ? "devices" : TOGETHER.getOrDefault(part, part));
        }

        @Override
        public String getDescription() {
            return "the parts of " + prefix + "*";
        }
    }

    @Test
    void librariesPrintNothing() {
        GeneralCodingRules.NO_CLASSES_SHOULD_ACCESS_STANDARD_STREAMS.check(
                Modules.imported("api", "host", "engine", "images", "snapshots", "watch", "shadow", "server"));
    }

    @Test
    void filesStayReadable() throws IOException {
        for (String module : Modules.NAMES) {
            try (Stream<Path> files = Files.walk(Modules.ROOT.resolve(module).resolve("src/main/java"))) {
                for (Path file : (Iterable<Path>) files.filter(f -> f.toString().endsWith(".java"))::iterator) {
                    long lines = Files.readAllLines(file).size();
                    assertTrue(lines <= FILE_LINES, file + " has " + lines + " lines");
                }
            }
        }
    }

    private static Set<String> requires(String module) throws Exception {
        return Modules.descriptor(module).requires().stream()
                .map(ModuleDescriptor.Requires::name)
                .collect(Collectors.toSet());
    }
}
