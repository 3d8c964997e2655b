package dev.multivisor.engine.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.multivisor.engine.mmu.Mmu;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

class CpuModelTest {
    private final FlatGuest guest = FlatGuest.userMode();

    private int[] leaf(int leaf, int subleaf) {
        guest.cpu.r[Cpu.RAX] = leaf & 0xffffffffL;
        guest.cpu.r[Cpu.RCX] = subleaf;
        guest.execute(0x0f, 0xa2);
        int[] order = {Cpu.RAX, Cpu.RBX, Cpu.RCX, Cpu.RDX};
        int[] result = new int[4];
        for (int n = 0; n < 4; n++) {
            assertEquals(0, guest.cpu.r[order[n]] >>> 32);
            result[n] = (int) guest.cpu.r[order[n]];
        }
        return result;
    }

    private static String text(int... words) {
        ByteBuffer buffer = ByteBuffer.allocate(words.length * 4).order(ByteOrder.LITTLE_ENDIAN);
        for (int word : words) {
            buffer.putInt(word);
        }
        return new String(buffer.array(), StandardCharsets.US_ASCII);
    }

    @Test
    void names() {
        int[] vendor = leaf(0, 0);
        assertEquals("GenuineIntel", text(vendor[1], vendor[3], vendor[2]));
        int[] hypervisor = leaf(0x40000000, 0);
        assertEquals("KVMKVMKVM\0\0\0", text(hypervisor[1], hypervisor[2], hypervisor[3]));
        assertTrue(text(leaf(0x80000002, 0)).startsWith("Multivisor x86-6"));
    }

    /** Family 6, model 0x36 is what Linux' cpu_vuln_whitelist calls INTEL_ATOM_SALTWELL: NO_SPECULATION. */
    @Test
    void linuxNeedsNoMitigations() {
        int signature = leaf(1, 0)[0];
        assertEquals(6, signature >>> 8 & 15);
        assertEquals(0x36, signature >>> 12 & 0xf0 | signature >>> 4 & 15);
    }

    /** The x86-64 psABI's level 2. */
    @Test
    void levelTwo() {
        int[] one = leaf(1, 0);
        int ecx = 1 | 1 << 9 | 1 << 13 | 1 << 19 | 1 << 20 | 1 << 23;
        assertEquals(ecx, one[2] & ecx);
        assertEquals(0, one[2] & (1 << 26 | 1 << 27 | 1 << 28 | 1 << 3), "XSAVE, OSXSAVE, AVX, MONITOR");
        int edx = 1 | 1 << 8 | 1 << 15 | 1 << 23 | 1 << 24 | 1 << 25 | 1 << 26;
        assertEquals(edx, one[3] & edx);
        int[] extended = leaf(0x80000001, 0);
        assertEquals(1, extended[2] & 1);
        assertEquals(1 << 11 | 1 << 20 | 1 << 29, extended[3] & (1 << 11 | 1 << 20 | 1 << 29));
        assertEquals(0, leaf(7, 0)[1] & (1 << 3 | 1 << 5 | 1 << 8), "BMI1, AVX2, BMI2");
    }

    /** SHA stands in EBX of leaf 7, bit 29, of machines that have it. */
    @Test
    void whatIsChosenIsShown() {
        assertEquals(0, leaf(7, 0)[1] & 1 << 29);
        guest.cpu.model = new CpuModel(1, 1_000_000, 1_000_000, true);
        assertEquals(1 << 29, leaf(7, 0)[1] & 1 << 29);
    }

    @Test
    void whatIsNotShownIsUndefined() {
        byte[] code = TestCpu.hex("0f38ccd1 f4"); // sha256msg1 xmm2, xmm1; hlt
        TestCpu without = new TestCpu().program(code).run();
        assertEquals(CpuFault.UD, without.vector());
        TestCpu with = new TestCpu().program(code);
        with.cpu.model = new CpuModel(1, 1_000_000, 1_000_000, true);
        with.cpu.xmm[2] = 1 << 3;
        with.run();
        assertEquals(-1, with.vector());
        assertEquals(1 << 3 - 3 | 1 << 35 - 18 | 1 << 35 - 7, with.cpu.xmm[5] >>> 32, "sigma 0 of W4");
    }

    @Test
    void topologyAndRates() {
        Cpu cpu = new Cpu(2, new Mmu(guest.memory), guest.platform);
        CpuModel model = new CpuModel(3, 2_500_000, 1_000_000, false);
        int[] out = new int[4];
        model.cpuid(cpu, 0xb, 1, out);
        assertEquals(2, out[0]);
        assertEquals(3, out[1]);
        assertEquals(0x201, out[2]);
        assertEquals(2, out[3]);
        model.cpuid(cpu, 1, 0, out);
        assertEquals(2, out[1] >>> 24);
        assertEquals(4, out[1] >>> 16 & 0xff);
        model.cpuid(cpu, 0x15, 0, out);
        assertEquals(2_500_000_000L, (out[2] & 0xffffffffL) * out[1] / out[0]);
        model.cpuid(cpu, 4, 0, out);
        assertEquals(32 << 10, ((out[1] >>> 22) + 1) * ((out[1] & 0xfff) + 1) * (out[2] + 1));
    }
}
