package dev.multivisor.dist;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.lang.classfile.ClassFile;
import java.lang.classfile.ClassModel;
import java.lang.classfile.FieldModel;
import java.lang.classfile.MethodModel;
import java.lang.classfile.constantpool.ClassEntry;
import java.lang.classfile.constantpool.MemberRefEntry;
import java.lang.classfile.constantpool.PoolEntry;
import java.lang.reflect.AccessFlag;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/**
 * Lists each exported type and member of the contract with the modules that use it, in
 * {@code target/public-surface.md}. One that nobody outside uses fails the build: what is public stays for ever, so
 * it has to be needed. Exceptions are named in {@code public-surface-planned.txt}, each with its reason, and must go
 * when they are used.
 */
class PublicSurfaceTest {
    private static final Set<String> GIVEN = Set.of("equals", "hashCode", "toString", "values", "valueOf", "<clinit>");

    @Test
    void everythingPublicIsUsedByTheOtherSide() throws Exception {
        Map<String, Set<String>> uses = uses();
        Map<String, Set<String>> surface = new TreeMap<>();
        for (ClassModel type : parse("api")) {
            if (isPublic(type.flags().flags())) {
                String name = type.thisClass().name().stringValue();
                surface.put(name, uses.getOrDefault(name, Set.of()));
                members(type).forEach(member -> surface.put(member, uses.getOrDefault(member, Set.of())));
            }
        }
        report(surface);
        Set<String> planned = planned();
        Set<String> unused = surface.keySet().stream()
                .filter(name -> !outside(name, surface))
                .map(PublicSurfaceTest::shown)
                .collect(Collectors.toCollection(TreeSet::new));
        Set<String> tooMuch = new TreeSet<>(unused);
        tooMuch.removeIf(name -> planned.stream().anyMatch(p -> name.equals(p) || name.startsWith(p + ".")));
        assertEquals(Set.of(), tooMuch, "public, but used by nobody outside: make it private or take it away");
        Set<String> settled = new TreeSet<>(planned);
        settled.removeIf(p -> unused.stream().anyMatch(name -> name.equals(p) || name.startsWith(p + ".")));
        assertEquals(Set.of(), settled, "named in public-surface-planned.txt, but used by now");
    }

    /** A type must be known on both sides of the contract, a member to at least one module. */
    private static boolean outside(String name, Map<String, Set<String>> surface) {
        Set<String> users = surface.get(name);
        return name.contains(".")
                ? !users.isEmpty()
                : users.contains("engine") && users.stream().anyMatch(user -> !user.equals("engine"));
    }

    /** Who uses what, by {@code type} or {@code type.member descriptor}. */
    private static Map<String, Set<String>> uses() throws IOException {
        Map<String, Set<String>> uses = new TreeMap<>();
        for (String module : List.of("engine", "host", "images", "snapshots", "watch", "shadow", "server", "cli")) {
            for (ClassModel type : parse(module)) {
                for (PoolEntry entry : type.constantPool()) {
                    String used = switch (entry) {
                        case ClassEntry c -> c.asInternalName();
                        case MemberRefEntry m ->
                            m.owner().asInternalName() + "." + m.name().stringValue() + " "
                                    + m.type().stringValue();
                        default -> "";
                    };
                    if (used.startsWith("dev/multivisor/api/")) {
                        uses.computeIfAbsent(used, key -> new TreeSet<>()).add(module);
                    }
                }
            }
        }
        return uses;
    }

    private static List<String> members(ClassModel type) {
        String owner = type.thisClass().name().stringValue();
        boolean constants = type.flags().has(AccessFlag.ENUM);
        List<String> members = new ArrayList<>();
        for (FieldModel field : type.fields()) {
            // A constant's value is copied to where it is used and leaves no trace there.
            boolean copied =
                    field.attributes().stream().anyMatch(a -> a.attributeName().equalsString("ConstantValue"));
            if (isPublic(field.flags().flags()) && !copied) {
                members.add(owner + "." + field.fieldName().stringValue() + " "
                        + field.fieldType().stringValue());
            }
        }
        for (MethodModel method : type.methods()) {
            String name = method.methodName().stringValue();
            boolean made = method.flags().has(AccessFlag.SYNTHETIC) || constants && name.equals("<init>");
            if (isPublic(method.flags().flags()) && !made && !GIVEN.contains(name)) {
                members.add(owner + "." + name + " " + method.methodType().stringValue());
            }
        }
        return members;
    }

    private static boolean isPublic(Set<AccessFlag> flags) {
        return flags.contains(AccessFlag.PUBLIC);
    }

    private static List<ClassModel> parse(String module) throws IOException {
        List<ClassModel> models = new ArrayList<>();
        try (Stream<Path> files = Files.walk(Modules.classes(module))) {
            for (Path file : (Iterable<Path>) files.filter(f -> f.toString().endsWith(".class"))::iterator) {
                if (!file.endsWith("module-info.class")) {
                    models.add(ClassFile.of().parse(file));
                }
            }
        }
        return models;
    }

    private static String shown(String name) {
        String plain = name.contains(" ") ? name.substring(0, name.indexOf(' ')) : name;
        return plain.replace("dev/multivisor/api/", "").replace('$', '.').replace(".<init>", ".new");
    }

    private static Set<String> planned() throws IOException {
        try (var in = PublicSurfaceTest.class.getResourceAsStream("public-surface-planned.txt")) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8)
                    .lines()
                    .filter(line -> !line.isBlank() && !line.startsWith("#"))
                    .map(line -> line.split("\\s")[0])
                    .collect(Collectors.toCollection(TreeSet::new));
        }
    }

    private static void report(Map<String, Set<String>> surface) throws IOException {
        long types =
                surface.keySet().stream().filter(name -> !name.contains(".")).count();
        StringBuilder text = new StringBuilder("# The contract's public surface\n\n");
        text.append(types).append(" types with ").append(surface.size() - types).append(" members.\n\n");
        text.append("| type or member | used by |\n| --- | --- |\n");
        surface.forEach((name, users) -> text.append("| ")
                .append(name.contains(".") ? "`" + shown(name) + "`" : "**" + shown(name) + "**")
                .append(" | ")
                .append(users.isEmpty() ? "nobody" : String.join(", ", users))
                .append(" |\n"));
        Path target = Files.createDirectories(Modules.ROOT.resolve("target"));
        Files.writeString(target.resolve("public-surface.md"), text);
    }
}
