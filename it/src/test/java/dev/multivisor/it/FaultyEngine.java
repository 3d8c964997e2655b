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
import java.lang.classfile.instruction.ReturnInstruction;
import java.lang.constant.ClassDesc;
import java.lang.constant.ConstantDescs;
import java.lang.constant.MethodTypeDesc;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Enumeration;
import java.util.function.Consumer;
import java.util.function.Supplier;
import java.util.jar.Attributes;
import java.util.jar.JarEntry;
import java.util.jar.JarFile;
import java.util.jar.JarOutputStream;
import java.util.jar.Manifest;

/** A real engine, with one method changed so that it fails as soon as it is called. */
final class FaultyEngine {
    private FaultyEngine() {}

    /** What is wrong with the engine, and where. */
    enum Fault {
        /** A vCPU fails as soon as it runs. */
        RUN("Vcpu", "run", FaultyEngine::failing),
        /** Only the first half of a state is there. */
        CUT_STATE("StateContainer", "toBytes", FaultyEngine::cutting),
        /** A bit of a state is another one. */
        FLIPPED_BIT("StateContainer", "toBytes", FaultyEngine::flipping),
        /** Sections of a state have names that nobody knows. */
        RENAMED_SECTION(
                "StateContainer",
                "put",
                code -> code.aload(1)
                        .ldc("x")
                        .invokevirtual(
                                ConstantDescs.CD_String,
                                "concat",
                                MethodTypeDesc.of(ConstantDescs.CD_String, ConstantDescs.CD_String))
                        .astore(1)),
        /** Sections of a state are newer than any engine. */
        NEWER_VERSION("StateContainer", "put", code -> code.iinc(2, 100));

        private final String type;
        private final String method;
        private final CodeTransform change;

        Fault(String type, String method, Consumer<CodeBuilder> first) {
            this(type, method, atStart(first));
        }

        Fault(String type, String method, CodeTransform change) {
            this.type = "dev/multivisor/engine/machine/" + type;
            this.method = method;
            this.change = change;
        }

        Fault(String type, String method, Supplier<CodeTransform> change) {
            this(type, method, change.get());
        }
    }

    /** Makes it; the JAR's manifest and the module both say the version. */
    static Path of(Path engine, String version, Fault fault, Path folder) throws IOException {
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
                    } else if (name.equals(fault.type + ".class")) {
                        content = changed(content, fault);
                        changed = true;
                    }
                    out.putNextEntry(new JarEntry(name));
                    out.write(content);
                    out.closeEntry();
                }
            }
            if (!changed) {
                throw new IllegalStateException(engine + " has no class " + fault.type);
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

    private static byte[] changed(byte[] content, Fault fault) {
        // Without debug information, which speaks of the code as it was.
        ClassFile files = ClassFile.of(ClassFile.DebugElementsOption.DROP_DEBUG);
        return files.transformClass(
                files.parse(content),
                ClassTransform.transformingMethodBodies(
                        method -> method.methodName().equalsString(fault.method), fault.change));
    }

    private static CodeTransform atStart(Consumer<CodeBuilder> first) {
        return CodeTransform.ofStateful(() -> new CodeTransform() {
            @Override
            public void atStart(CodeBuilder code) {
                first.accept(code);
            }

            @Override
            public void accept(CodeBuilder code, CodeElement element) {
                code.with(element);
            }
        });
    }

    /** What is done with the array on the stack before it is returned. */
    private static CodeTransform beforeReturn(Consumer<CodeBuilder> last) {
        return (code, element) -> {
            if (element instanceof ReturnInstruction) {
                last.accept(code);
            }
            code.with(element);
        };
    }

    private static CodeTransform failing() {
        ClassDesc exception = ClassDesc.of("java.lang.IllegalStateException");
        return atStart(code -> code.new_(exception)
                .dup()
                .ldc("as a test")
                .invokespecial(exception, "<init>", MethodTypeDesc.of(ConstantDescs.CD_void, ConstantDescs.CD_String))
                .athrow());
    }

    private static CodeTransform cutting() {
        ClassDesc bytes = ConstantDescs.CD_byte.arrayType();
        return beforeReturn(code -> code.dup()
                .arraylength()
                .iconst_2()
                .idiv()
                .invokestatic(
                        ClassDesc.of("java.util.Arrays"),
                        "copyOf",
                        MethodTypeDesc.of(bytes, bytes, ConstantDescs.CD_int)));
    }

    private static CodeTransform flipping() {
        return beforeReturn(code ->
                code.dup().sipush(1000).dup2().baload().iconst_1().ixor().i2b().bastore());
    }
}
