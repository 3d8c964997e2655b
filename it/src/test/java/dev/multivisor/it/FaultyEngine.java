package dev.multivisor.it;

import java.io.IOException;
import java.io.OutputStream;
import java.lang.classfile.ClassFile;
import java.lang.classfile.ClassModel;
import java.lang.classfile.ClassTransform;
import java.lang.classfile.CodeBuilder;
import java.lang.classfile.CodeElement;
import java.lang.classfile.CodeTransform;
import java.lang.classfile.attribute.ModuleAttribute;
import java.lang.constant.ClassDesc;
import java.lang.constant.MethodTypeDesc;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Enumeration;
import java.util.jar.Attributes;
import java.util.jar.JarEntry;
import java.util.jar.JarFile;
import java.util.jar.JarOutputStream;
import java.util.jar.Manifest;

/** A real engine, with one method changed so that it fails as soon as it is called. */
final class FaultyEngine {
    private FaultyEngine() {}

    /** A method of the engine, by its class and name. */
    record Place(String type, String method) {
        /** Where vCPUs run. */
        static final Place RUN = new Place("dev/multivisor/engine/machine/Vcpu", "run");
    }

    /** Makes it; the JAR's manifest and the module both say the version. */
    static Path of(Path engine, String version, Place place, Path folder) throws IOException {
        Path target = folder.resolve("engine-" + version + ".jar");
        try (JarFile jar = new JarFile(engine.toFile())) {
            Manifest manifest = jar.getManifest();
            manifest.getMainAttributes().put(new Attributes.Name("Multivisor-Engine"), version);
            boolean changed = false;
            try (OutputStream file = Files.newOutputStream(target);
                    JarOutputStream out = new JarOutputStream(file, manifest)) {
                for (Enumeration<JarEntry> entries = jar.entries(); entries.hasMoreElements(); ) {
                    JarEntry entry = entries.nextElement();
                    String name = entry.getName();
                    if (entry.isDirectory() || name.equals(JarFile.MANIFEST_NAME)) {
                        continue;
                    }
                    byte[] content = jar.getInputStream(entry).readAllBytes();
                    if (name.equals("module-info.class")) {
                        content = withVersion(content, version);
                    } else if (name.equals(place.type + ".class")) {
                        content = failing(content, place.method);
                        changed = true;
                    }
                    out.putNextEntry(new JarEntry(name));
                    out.write(content);
                    out.closeEntry();
                }
            }
            if (!changed) {
                throw new IllegalStateException(engine + " has no class " + place.type);
            }
        }
        return target;
    }

    private static byte[] withVersion(byte[] content, String version) {
        ClassFile files = ClassFile.of();
        ClassModel model = files.parse(content);
        return files.transformClass(model, (builder, element) -> {
            if (element instanceof ModuleAttribute module) {
                builder.with(ModuleAttribute.of(module.moduleName(), made -> {
                    made.moduleFlags(module.moduleFlagsMask()).moduleVersion(version);
                    module.requires().forEach(made::requires);
                    module.exports().forEach(made::exports);
                    module.opens().forEach(made::opens);
                    module.uses().forEach(made::uses);
                    module.provides().forEach(made::provides);
                }));
            } else {
                builder.with(element);
            }
        });
    }

    private static byte[] failing(byte[] content, String method) {
        // Without debug information, which speaks of the code as it was.
        ClassFile files = ClassFile.of(ClassFile.DebugElementsOption.DROP_DEBUG);
        ClassDesc exception = ClassDesc.of("java.lang.IllegalStateException");
        CodeTransform first = CodeTransform.ofStateful(() -> new CodeTransform() {
            @Override
            public void atStart(CodeBuilder code) {
                code.new_(exception)
                        .dup()
                        .ldc("as a test")
                        .invokespecial(exception, "<init>", MethodTypeDesc.ofDescriptor("(Ljava/lang/String;)V"))
                        .athrow();
            }

            @Override
            public void accept(CodeBuilder code, CodeElement element) {
                code.with(element);
            }
        });
        return files.transformClass(
                files.parse(content),
                ClassTransform.transformingMethodBodies(
                        found -> found.methodName().equalsString(method), first));
    }
}
