package dev.multivisor.dist;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import java.lang.module.ModuleDescriptor;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** The project's modules as they were compiled. */
final class Modules {
    static final Path ROOT = Path.of(System.getProperty("multivisor.root")).normalize();
    static final List<String> NAMES =
            List.of("api", "host", "engine", "images", "snapshots", "watch", "shadow", "server", "cli");

    private Modules() {}

    static Path classes(String module) {
        return ROOT.resolve(module).resolve("target/classes");
    }

    static ModuleDescriptor descriptor(String module) throws Exception {
        try (var in = Files.newInputStream(classes(module).resolve("module-info.class"))) {
            return ModuleDescriptor.read(in);
        }
    }

    static JavaClasses imported(String... modules) {
        return new ClassFileImporter()
                .importPaths(List.of(modules).stream().map(Modules::classes).toList());
    }
}
