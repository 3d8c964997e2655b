package dev.multivisor.engine.machine;

import java.lang.classfile.ClassBuilder;
import java.lang.classfile.ClassFile;
import java.lang.classfile.CodeBuilder;
import java.lang.constant.ClassDesc;
import java.lang.constant.ConstantDescs;
import java.lang.constant.MethodTypeDesc;
import java.lang.invoke.MethodHandles;
import java.lang.reflect.RecordComponent;
import java.util.Arrays;
import java.util.function.Function;

/**
 * Makes records from their components' values: a class for each class of records, which calls the constructor. A method
 * handle that takes an array would do the same, but for each one the JVM makes some ten classes first: 200 ms for all of a
 * machine's state.
 */
final class RecordMaker {
    private static final ClassDesc OBJECTS = ConstantDescs.CD_Object.arrayType();

    private RecordMaker() {}

    /**
     * Makes the maker.
     *
     * @param lookup has access to the record's constructor
     * @return takes the values in the components' order, numbers boxed, and gives the record
     */
    @SuppressWarnings("unchecked") // the class is what was asked for
    static <T extends Record> Function<Object[], T> of(MethodHandles.Lookup lookup, Class<T> type)
            throws ReflectiveOperationException {
        byte[] bytes = ClassFile.of().build(ClassDesc.of(type.getPackageName(), "RecordMaker"), b -> build(b, type));
        Class<?> maker = lookup.defineHiddenClass(bytes, true, MethodHandles.Lookup.ClassOption.NESTMATE)
                .lookupClass();
        return (Function<Object[], T>) maker.getDeclaredConstructor().newInstance();
    }

    private static void build(ClassBuilder b, Class<? extends Record> type) {
        b.withInterfaceSymbols(desc(Function.class));
        b.withMethodBody(
                ConstantDescs.INIT_NAME,
                ConstantDescs.MTD_void,
                ClassFile.ACC_PUBLIC,
                code -> code.aload(0)
                        .invokespecial(ConstantDescs.CD_Object, ConstantDescs.INIT_NAME, ConstantDescs.MTD_void)
                        .return_());
        b.withMethodBody(
                "apply",
                MethodTypeDesc.of(ConstantDescs.CD_Object, ConstantDescs.CD_Object),
                ClassFile.ACC_PUBLIC,
                code -> make(code, type));
    }

    private static void make(CodeBuilder code, Class<? extends Record> type) {
        RecordComponent[] components = type.getRecordComponents();
        code.new_(desc(type)).dup();
        for (int n = 0; n < components.length; n++) {
            code.aload(1).checkcast(OBJECTS).loadConstant(n).aaload();
            value(code, components[n].getType());
        }
        ClassDesc[] parameters = Arrays.stream(components)
                .map(component -> desc(component.getType()))
                .toArray(ClassDesc[]::new);
        code.invokespecial(desc(type), ConstantDescs.INIT_NAME, MethodTypeDesc.of(ConstantDescs.CD_void, parameters))
                .areturn();
    }

    /** Makes an object on the stack a value of a type. */
    private static void value(CodeBuilder code, Class<?> type) {
        if (type == int.class) {
            unbox(code, Integer.class, type);
        } else if (type == long.class) {
            unbox(code, Long.class, type);
        } else if (type == boolean.class) {
            unbox(code, Boolean.class, type);
        } else {
            code.checkcast(desc(type));
        }
    }

    private static void unbox(CodeBuilder code, Class<?> box, Class<?> type) {
        code.checkcast(desc(box)).invokevirtual(desc(box), type + "Value", MethodTypeDesc.of(desc(type)));
    }

    private static ClassDesc desc(Class<?> type) {
        return type.describeConstable().orElseThrow();
    }
}
