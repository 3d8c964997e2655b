package dev.multivisor.engine.isa;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/**
 * The instruction table: all forms, and tables that find one by its bytes.
 *
 * <p>Rows stand in the resources {@code isa/{integer,system,x87,sse}.txt}: {@code encoding  OP  operands  attributes},
 * columns separated by two or more spaces, {@code #} opening a comment. The encoding is made of these words:
 *
 * <ul>
 *   <li>{@code NP}, {@code 66}, {@code F3}, {@code F2}: mandatory prefix, NP meaning none of them. A row without any
 *       takes 66 as operand size and F2 and F3 as repetition, and yields to a row with a mandatory prefix.
 *   <li>{@code W0}, {@code W1}: REX.W must be 0 or 1.
 *   <li>Opcode bytes in hexadecimal, with {@code +r} for a register in the low three bits of the last one, {@code +cc}
 *       for a condition in the low four.
 *   <li>{@code /r}: a ModRM byte; {@code /0} to {@code /7}: its reg field; {@code =D1}: all of it; {@code mem},
 *       {@code reg}: its mod field. Operands M, R, U and N imply mem or reg, except that moves of control and debug
 *       registers ignore mod.
 * </ul>
 *
 * <p>Where two rows match, the one that demands more is meant. Operand codes are those of the Intel SDM, volume 2, A.2;
 * attributes are the names of {@link Form.Attribute}, and {@code w:} and {@code u:} with the flags written and
 * undefined. No other flag is touched; but shifts by 0 and repeated string instructions that do nothing touch none.
 */
public final class InstructionTable {
    /** An encoding that no row describes: #UD. */
    public static final Form INVALID = pseudo(0, "invalid");

    /** More than 15 bytes: #GP(0). */
    public static final Form TOO_LONG = pseudo(1, "too long");

    /** Bytes ran out before the instruction ended. */
    public static final Form INCOMPLETE = pseudo(2, "incomplete");

    /** The table of the resources. */
    public static final InstructionTable STANDARD = load();

    private final List<Form> forms = new ArrayList<>(List.of(INVALID, TOO_LONG, INCOMPLETE));
    private final List<Encoding> encodings = new ArrayList<>();

    /** Lengths of {@link #lookup}'s elements that have an entry for each REX.W and ModRM, or REX.W, mod = 3 and reg. */
    static final int BY_MODRM = 512, BY_FIELDS = 32;

    /**
     * Rows by mode, map, prefix and opcode ({@link #key}). An element is null where there is nothing, has one entry
     * where ModRM does not matter, else an entry (or null) for each value of the fields that do.
     */
    final Encoding[][] lookup = new Encoding[2 << 12][];

    private InstructionTable() {}

    private static Form pseudo(int index, String name) {
        return new Form(index, name, Op.UD, List.of(), EnumSet.of(Form.Attribute.ENDS), "", "");
    }

    /** All forms by their index. The first three are {@link #INVALID}, {@link #TOO_LONG} and {@link #INCOMPLETE}. */
    public List<Form> forms() {
        return Collections.unmodifiableList(forms);
    }

    /** The rows' encodings in the order of the table. */
    List<Encoding> encodings() {
        return encodings;
    }

    static int key(boolean mode64, int map, int prefix, int opcode) {
        return (mode64 ? 1 << 12 : 0) | map << 10 | prefix << 8 | opcode;
    }

    private static InstructionTable load() {
        InstructionTable table = new InstructionTable();
        for (String name : List.of("integer.txt", "system.txt", "x87.txt", "sse.txt")) {
            try (InputStream in = InstructionTable.class.getResourceAsStream(name)) {
                if (in != null) {
                    table.read(name, in);
                }
            } catch (IOException e) {
                throw new UncheckedIOException("instruction table " + name, e);
            }
        }
        table.build();
        return table;
    }

    /** A table of the given rows only. */
    static InstructionTable of(List<String> rows) {
        InstructionTable table = new InstructionTable();
        Map<String, Attributes> seen = new HashMap<>();
        for (String row : rows) {
            table.row(row, seen);
        }
        table.build();
        return table;
    }

    private record Attributes(Set<Form.Attribute> set, String writes, String undefined) {
        static Attributes parse(String column) {
            List<String> words = Encoding.words(column);
            String writes = "";
            String undefined = "";
            for (String word : words) {
                if (word.startsWith("w:")) {
                    writes = word.substring(2);
                } else if (word.startsWith("u:")) {
                    undefined = word.substring(2);
                }
            }
            return new Attributes(Encoding.attributes(words), writes, undefined);
        }
    }

    private void read(String name, InputStream in) throws IOException {
        String text = new String(in.readAllBytes(), StandardCharsets.ISO_8859_1);
        Map<String, Attributes> seen = new HashMap<>();
        int number = 0;
        for (int start = 0; start < text.length(); ) {
            int end = text.indexOf('\n', start);
            end = end < 0 ? text.length() : end;
            number++;
            if (end > start && text.charAt(start) != '#') {
                String line = text.substring(start, end);
                try {
                    row(line, seen);
                } catch (IllegalArgumentException e) {
                    throw new IllegalArgumentException(name + ", line " + number + ": " + line, e);
                }
            }
            start = end + 1;
        }
    }

    private void row(String line, Map<String, Attributes> seen) {
        int comment = line.indexOf('#');
        List<String> columns = columns(comment < 0 ? line : line.substring(0, comment));
        if (columns.isEmpty()) {
            return;
        }
        // A row without operands may still have attributes, which no operand code can be mistaken for.
        String operands = columns.size() > 2 ? columns.get(2) : "";
        String attributes = columns.size() > 3 ? columns.get(3) : "";
        if (columns.size() == 3 && isAttributes(operands)) {
            attributes = operands;
            operands = "";
        }
        Attributes parsed = seen.get(attributes);
        if (parsed == null) {
            parsed = Attributes.parse(attributes);
            seen.put(attributes, parsed);
        }
        Form form = new Form(
                forms.size(),
                columns.get(0),
                Op.valueOf(columns.get(1)),
                operands.isEmpty() ? List.of() : List.of(split(operands)),
                parsed.set,
                parsed.writes,
                parsed.undefined);
        forms.add(form);
        encodings.add(new Encoding(form));
    }

    private static boolean isAttributes(String column) {
        String first = Encoding.words(column).get(0);
        return first.indexOf(':') >= 0
                || first.length() >= 3
                        && first.equals(first.toUpperCase(Locale.ROOT))
                        && first.indexOf(',') < 0
                        && !first.equals("ST0")
                        && !first.startsWith("XMM");
    }

    private static String[] split(String operands) {
        int commas = 0;
        for (int n = 0; n < operands.length(); n++) {
            commas += operands.charAt(n) == ',' ? 1 : 0;
        }
        String[] result = new String[commas + 1];
        int start = 0;
        for (int n = 0; n <= commas; n++) {
            int end = n == commas ? operands.length() : operands.indexOf(',', start);
            result[n] = operands.substring(start, end).trim();
            start = end + 1;
        }
        return result;
    }

    /** Cuts at runs of two or more spaces. */
    private static List<String> columns(String line) {
        List<String> result = new ArrayList<>(4);
        int length = line.length();
        int start = 0;
        while (start < length) {
            int gap = line.indexOf("  ", start);
            int end = gap < 0 ? length : gap;
            if (gap < 0) {
                while (end > start && line.charAt(end - 1) == ' ') {
                    end--;
                }
            }
            if (end > start) {
                result.add(line.substring(start, end));
            }
            start = gap < 0 ? length : gap;
            while (start < length && line.charAt(start) == ' ') {
                start++;
            }
        }
        return result;
    }

    private void build() {
        Map<Integer, List<Encoding>> byOpcode = new HashMap<>();
        for (Encoding encoding : encodings) {
            // "91+r" starts at 91, which is not a multiple of 8: the bytes up to the next one are meant.
            int end = (encoding.opcode & -encoding.width) + encoding.width;
            for (int opcode = encoding.opcode; opcode < end; opcode++) {
                Integer key = encoding.map << 8 | opcode;
                List<Encoding> list = byOpcode.get(key);
                if (list == null) {
                    list = new ArrayList<>(4);
                    byOpcode.put(key, list);
                }
                list.add(encoding);
            }
        }
        for (Map.Entry<Integer, List<Encoding>> entry : byOpcode.entrySet()) {
            build(entry.getKey() >>> 8, entry.getKey() & 0xff, entry.getValue());
        }
    }

    /** Fills the entries of one opcode; nodes are shared where neither prefixes nor the mode matter. */
    private void build(int map, int opcode, List<Encoding> candidates) {
        boolean plain = true;
        for (Encoding encoding : candidates) {
            plain &= encoding.prefix == Encoding.ANY_PREFIX && !encoding.not64 && !encoding.only64;
        }
        Encoding[] node = null;
        for (int mode = 0; mode < 2; mode++) {
            for (int prefix = 0; prefix < 4; prefix++) {
                if (!plain || node == null) {
                    node = resolve(candidates, mode == 1, prefix);
                }
                lookup[key(mode == 1, map, prefix, opcode)] = node;
            }
        }
    }

    private static Encoding[] resolve(List<Encoding> candidates, boolean mode64, int prefix) {
        List<Encoding> ordered = new ArrayList<>(candidates.size());
        boolean exact = false;
        for (Encoding encoding : candidates) {
            if (!(mode64 ? encoding.not64 : encoding.only64)
                    && (encoding.prefix == Encoding.ANY_PREFIX || encoding.prefix == prefix)) {
                int at = ordered.size();
                while (at > 0 && ordered.get(at - 1).specificity() > encoding.specificity()) {
                    at--;
                }
                ordered.add(at, encoding);
                exact |= encoding.exact >= 0;
            }
        }
        if (ordered.isEmpty()) {
            return null;
        }
        Encoding last = ordered.getLast();
        if (!last.hasModRm || last.specificity() % 16 == 0) {
            return new Encoding[] {last};
        }
        Encoding[] result = new Encoding[exact ? BY_MODRM : BY_FIELDS];
        for (Encoding encoding : ordered) {
            fill(result, encoding);
        }
        return result;
    }

    private static void fill(Encoding[] node, Encoding encoding) {
        boolean whole = node.length == BY_MODRM;
        for (int w = Math.max(encoding.w, 0); w <= (encoding.w == 0 ? 0 : 1); w++) {
            if (encoding.exact >= 0) {
                node[w << 8 | encoding.exact] = encoding;
                continue;
            }
            int lastReg = encoding.digit < 0 ? 7 : encoding.digit;
            for (int reg = Math.max(encoding.digit, 0); reg <= lastReg; reg++) {
                if (!whole) {
                    for (int mod = 0; mod < 2; mod++) {
                        if (encoding.allowsMod(mod == 1)) {
                            node[w << 4 | mod << 3 | reg] = encoding;
                        }
                    }
                    continue;
                }
                for (int mod = 0; mod < 4; mod++) {
                    if (encoding.allowsMod(mod == 3)) {
                        int first = w << 8 | mod << 6 | reg << 3;
                        Arrays.fill(node, first, first + 8, encoding);
                    }
                }
            }
        }
    }
}
