package dev.multivisor.engine.jit;

import dev.multivisor.engine.cpu.CodeListing;
import dev.multivisor.engine.cpu.RegionSource;
import dev.multivisor.engine.isa.Decoder;
import dev.multivisor.engine.isa.Disassembler;
import dev.multivisor.engine.isa.Instruction;
import java.lang.classfile.ClassFile;
import java.lang.classfile.CodeElement;
import java.lang.classfile.CodeModel;
import java.lang.classfile.attribute.CodeAttribute;
import java.lang.classfile.instruction.LineNumber;
import java.lang.constant.ClassDesc;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;

/**
 * Lists a region for people: its guest instructions in the order in which they were emitted, each with the bytecode made
 * of it. What was put out of the way, to the method's end, stands there, with the instruction that it is for.
 */
final class Listing {
    private static final HexFormat HEX = HexFormat.ofDelimiter(" ");

    /** A guest instruction as text: address and bytes, and assembly. */
    private record Guest(String place, String assembly, boolean first) {}

    private final StringBuilder out = new StringBuilder();
    private final List<Guest> guest = new ArrayList<>();
    private int bytes;

    private Listing() {}

    /**
     * Compiles a region once more and lists it.
     *
     * @param start the linear address of its entry
     */
    static CodeListing of(RegionSource source, long start) {
        return new Listing().list(source, start);
    }

    private CodeListing list(RegionSource source, long start) {
        Decoder decoder = new Decoder();
        List<CodePart> parts =
                source.parts().stream().map(part -> CodePart.of(part, decoder)).toList();
        for (int n = 0; n < parts.size(); n++) {
            disassemble(parts.get(n), source.parts().get(n).code(), start);
        }
        ClassDesc name = ClassDesc.of(Listing.class.getPackageName(), "Region");
        byte[] plain = new RegionEmitter(parts, source.ordered()).emit(name).classFile();
        byte[] annotated = new RegionEmitter(parts, source.ordered())
                .annotated()
                .emit(name)
                .classFile();
        CodeModel code = method(annotated);
        bytecode(code);
        int length = ((CodeAttribute) method(plain)).codeLength();
        return new CodeListing(guest.size(), bytes, length, plain.length, out.toString());
    }

    private static CodeModel method(byte[] classFile) {
        return ClassFile.of().parse(classFile).methods().stream()
                .filter(method -> method.methodName().equalsString("run"))
                .findFirst()
                .flatMap(method -> method.code())
                .orElseThrow();
    }

    private void disassemble(CodePart part, byte[] code, long start) {
        int at = 0;
        for (Instruction i : part.instructions()) {
            long address = start + part.offset() + at;
            String place = String.format("0x%x  %-31s", address, HEX.formatHex(code, at, at + i.length));
            guest.add(new Guest(place, Disassembler.text(i, address), at == 0));
            at += i.length;
        }
        bytes += at;
    }

    private void bytecode(CodeModel code) {
        BytecodePrinter printer = new BytecodePrinter(code, out);
        out.append("entry\n");
        int done = 0;
        for (CodeElement element : code) {
            if (element instanceof LineNumber line) {
                heading(line.line(), line.line() <= done);
                done = Math.max(done, line.line());
            } else {
                printer.print(element);
            }
        }
    }

    /** What follows is for another guest instruction, or for what is common to all. */
    private void heading(int number, boolean again) {
        if (number > guest.size()) {
            out.append(number == guest.size() + 1 ? "\nexit\n" : "\nexit by a fault\n");
            return;
        }
        Guest i = guest.get(number - 1);
        if (again) {
            out.append("seldom, for ").append(i.place.split(" ", 2)[0]).append("  ");
        } else {
            out.append(i.first ? "\n" : "").append(i.place).append(' ');
        }
        out.append(i.assembly).append('\n');
    }
}
