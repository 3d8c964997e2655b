package dev.multivisor.engine.device.acpi;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class AcpiTablesTest {
    private static final int BASE = 0xe0000;

    private static int sum(byte[] bytes, int start, int length) {
        int sum = 0;
        for (int i = 0; i < length; i++) {
            sum += bytes[start + i];
        }
        return sum & 0xff;
    }

    /** Follows the pointers from the RSDP, checking every table on the way. */
    private static Map<String, byte[]> tables(byte[] image) {
        ByteBuffer data = ByteBuffer.wrap(image).order(ByteOrder.LITTLE_ENDIAN);
        assertEquals("RSD PTR ", new String(image, 0, 8, StandardCharsets.US_ASCII));
        assertEquals(0, sum(image, 0, 20));
        assertEquals(0, sum(image, 0, 36));
        Map<String, byte[]> found = new TreeMap<>();
        int xsdt = (int) data.getLong(24) - BASE;
        add(found, image, xsdt);
        for (int at = xsdt + 36; at < xsdt + data.getInt(xsdt + 4); at += 8) {
            add(found, image, (int) data.getLong(at) - BASE);
        }
        ByteBuffer fadt = ByteBuffer.wrap(found.get("FACP")).order(ByteOrder.LITTLE_ENDIAN);
        add(found, image, fadt.getInt(40) - BASE);
        assertEquals(fadt.getInt(40), fadt.getLong(140));
        int facs = fadt.getInt(36) - BASE;
        assertEquals(0, facs % 64);
        assertEquals("FACS", new String(image, facs, 4, StandardCharsets.US_ASCII));
        return found;
    }

    private static void add(Map<String, byte[]> found, byte[] image, int start) {
        int length = ByteBuffer.wrap(image).order(ByteOrder.LITTLE_ENDIAN).getInt(start + 4);
        String name = new String(image, start, 4, StandardCharsets.US_ASCII);
        assertEquals(0, sum(image, start, length), name);
        byte[] table = new byte[length];
        System.arraycopy(image, start, table, 0, length);
        found.put(name, table);
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 8, 255})
    void everyTableIsFoundAndSound(int cpus) {
        byte[] image = AcpiTables.build(BASE, cpus, true);
        assertTrue(image.length < 0x10000);
        Map<String, byte[]> tables = tables(image);
        assertEquals("[APIC, DSDT, FACP, MCFG, XSDT]", tables.keySet().toString());
        assertEquals(276, tables.get("FACP").length);
        assertEquals(60, tables.get("MCFG").length);
        assertEquals(44 + cpus * 8 + 38, tables.get("APIC").length);
    }

    @Test
    void fadtNamesTheResetRegisterAndLegacyHardware() {
        ByteBuffer fadt = ByteBuffer.wrap(
                        tables(AcpiTables.build(BASE, 1, false)).get("FACP"))
                .order(ByteOrder.LITTLE_ENDIAN);
        assertEquals(1 << 10, fadt.getInt(112) & (1 << 10 | 1 << 20), "reset register, not hardware-reduced");
        assertEquals(0xcf9, fadt.getLong(120));
        assertEquals(6, fadt.get(128));
        assertEquals(5, fadt.getShort(109), "no 8042, no VGA, a CMOS clock");
        assertEquals(9, fadt.getShort(46));
    }

    /** The byte code is what the ACPICA compiler makes of the same source again. */
    @Test
    void dsdtSurvivesTheAcpicaCompiler(@TempDir Path folder) throws IOException, InterruptedException {
        assumeTrue(Files.isExecutable(Path.of("/usr/bin/iasl")), "acpica-tools is not installed");
        byte[] dsdt = tables(AcpiTables.build(BASE, 20, true)).get("DSDT");
        Files.write(folder.resolve("dsdt.aml"), dsdt);
        String listing = run(folder, "-d", "dsdt.aml");
        assertTrue(!listing.contains("Error") && !listing.contains("Warning"), listing);
        String source = Files.readString(folder.resolve("dsdt.dsl"));
        assertTrue(source.contains("Device (PCI0)") && source.contains("_S5, Package"), source);
        String compiled = run(folder, "-p", "again", "dsdt.dsl");
        assertTrue(compiled.contains("0 Errors, 0 Warnings"), compiled);
        byte[] again = Files.readAllBytes(folder.resolve("again.aml"));
        assertEquals(hex(dsdt, 36), hex(again, 36));
    }

    private static String hex(byte[] bytes, int from) {
        return HexFormat.of().formatHex(bytes, from, bytes.length);
    }

    private static String run(Path folder, String... arguments) throws IOException, InterruptedException {
        String[] command = new String[arguments.length + 1];
        command[0] = "/usr/bin/iasl";
        System.arraycopy(arguments, 0, command, 1, arguments.length);
        Process process = new ProcessBuilder(command)
                .directory(folder.toFile())
                .redirectErrorStream(true)
                .start();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertTrue(process.waitFor(20, TimeUnit.SECONDS));
        return output;
    }
}
