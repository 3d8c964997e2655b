package dev.multivisor.engine.boot;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.multivisor.api.Boot;
import dev.multivisor.api.EngineException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;

class BootLoaderTest {
    private static final long RSDP = 0xe0000;

    private final TestMemory memory = new TestMemory(32 << 20);

    private EntryState load(byte[] kernel, byte[]... modules) {
        return load(memory, kernel, true, modules);
    }

    private static EntryState load(TestMemory memory, byte[] kernel, boolean unpack, byte[]... modules) {
        List<Boot.Image> images = Arrays.stream(modules)
                .map(module -> new Boot.Image("module", MemorySegment.ofArray(module)))
                .toList();
        var boot = new Boot(ImageBuilder.image(kernel), images, "console=ttyS0");
        return BootLoader.load(boot, memory, MemoryMap.of(memory), RSDP, unpack);
    }

    private static byte[] spoil(byte[] image, Consumer<ByteBuffer> change) {
        byte[] copy = image.clone();
        change.accept(ByteBuffer.wrap(copy).order(ByteOrder.LITTLE_ENDIAN));
        return copy;
    }

    private void assertRefused(String message, byte[] kernel, byte[]... modules) {
        String actual =
                assertThrows(EngineException.class, () -> load(kernel, modules)).getMessage();
        assertTrue(actual.contains(message), actual);
        assertFalse(actual.contains("\n"), actual);
    }

    private void assertLinux(EntryState entry, byte[] initrd) {
        assertTrue(entry.longMode());
        long zeroPage = entry.rsi();
        assertEquals(0x53726448, memory.int32(zeroPage + 0x202));
        assertEquals(0xff, memory.int8(zeroPage + 0x210));
        assertEquals(RSDP, memory.int64(zeroPage + 0x70));
        assertEquals("console=ttyS0", memory.text(memory.int32(zeroPage + 0x228)));
        long address = memory.int32(zeroPage + 0x218);
        assertEquals(initrd.length, memory.int32(zeroPage + 0x21c));
        assertEquals((32 << 20) - 4096, address);
        assertArrayEquals(initrd, memory.bytes().asSlice(address, initrd.length).toArray(ValueLayout.JAVA_BYTE));
        assertEquals(4, memory.int8(zeroPage + 0x1e8));
        assertEquals(0x9fc00, memory.int64(zeroPage + 0x2d0 + 8));
        assertEquals(1, memory.int32(zeroPage + 0x2d0 + 16));
        assertEquals(0x100000, memory.int64(zeroPage + 0x2d0 + 60));
        assertEquals((32 << 20) - 0x100000, memory.int64(zeroPage + 0x2d0 + 68));
        assertEquals(0x00af9b000000ffffL, memory.int64(entry.gdt() + 0x10));
        assertEquals(0x00cf93000000ffffL, memory.int64(entry.gdt() + 0x18));
        long pdpt = memory.int64(entry.cr3()) & -4096;
        long pd = memory.int64(pdpt + 8) & -4096;
        assertEquals(0x40200083L, memory.int64(pd + 8));
    }

    @Test
    void entersTheUnpackedKernel() {
        byte[] elf = ImageBuilder.elf64(true);
        byte[] initrd = ImageBuilder.content(1234);
        EntryState entry = load(ImageBuilder.bzImage(elf, true), initrd);
        assertEquals(ImageBuilder.LOAD, entry.rip());
        assertLinux(entry, initrd);
        assertArrayEquals(
                Arrays.copyOfRange(elf, 0x1000, 0x2000),
                memory.bytes().asSlice(ImageBuilder.LOAD, 0x1000).toArray(ValueLayout.JAVA_BYTE));
    }

    @Test
    void entersTheCompressedKernel() {
        byte[] image = ImageBuilder.bzImage(ImageBuilder.elf64(true), true);
        byte[] initrd = {1, 2, 3};
        EntryState entry = load(memory, image, false, initrd);
        assertEquals(ImageBuilder.LOAD + 0x200, entry.rip());
        assertLinux(entry, initrd);
        assertEquals(0x8b1f, memory.int32(ImageBuilder.LOAD + 0x300) & 0xffff);
    }

    @Test
    void entersAVmlinuxWithoutANote() {
        byte[] initrd = {1};
        EntryState entry = load(ImageBuilder.elf64(false), initrd);
        assertEquals(ImageBuilder.LOAD, entry.rip());
        assertLinux(entry, initrd);
    }

    @Test
    void entersByThePvhNote() {
        EntryState entry = load(ImageBuilder.elf64(true), new byte[] {1, 2, 3});
        assertFalse(entry.longMode());
        assertEquals(ImageBuilder.LOAD + 0x10, entry.rip());
        long info = entry.rbx();
        assertEquals(0x336ec578, memory.int32(info));
        assertEquals(1, memory.int32(info + 12));
        long module = memory.int64(info + 16);
        assertEquals(3, memory.int64(module + 8));
        assertEquals(0x030201, memory.int32(memory.int64(module)));
        assertEquals("console=ttyS0", memory.text(memory.int64(info + 24)));
        assertEquals(RSDP, memory.int64(info + 32));
        assertEquals(4, memory.int32(info + 48));
        assertEquals(0x9fc00, memory.int64(memory.int64(info + 40) + 8));
    }

    @Test
    void entersMultibootKernels() {
        EntryState entry = load(ImageBuilder.multiboot(), new byte[] {7}, new byte[] {8});
        assertEquals(0x2badb002L, entry.rax());
        assertEquals(0x100080, entry.rip());
        long info = entry.rbx();
        assertEquals(0x24d, memory.int32(info));
        assertEquals(639, memory.int32(info + 4));
        assertEquals(31 << 10, memory.int32(info + 8));
        assertEquals("kernel console=ttyS0", memory.text(memory.int32(info + 16)));
        assertEquals(2, memory.int32(info + 20));
        long second = memory.int32(info + 24) + 16;
        assertEquals(8, memory.int8(memory.int32(second)));
        assertEquals(memory.int32(second) + 1, memory.int32(second + 4));
        assertEquals("module", memory.text(memory.int32(second + 8)));

        EntryState elf = load(new TestMemory(8 << 20), ImageBuilder.multibootElf(), true);
        assertEquals(0x100020, elf.rip());
    }

    @Test
    void mapsMemoryAbovePciHole() {
        long size = 8 << 20;
        var high = new TestMemory(
                new TestMemory(size).bytes(),
                List.of(new TestMemory.Region(0, 0, size / 2), new TestMemory.Region(1L << 32, size / 2, size / 2)));
        MemoryMap map = MemoryMap.of(high).reserve(0xe0000000L, 0xf0000000L);
        assertEquals(
                List.of(0L, 0x9fc00L, 0xe0000L, 0x100000L, 0xe0000000L, 1L << 32),
                map.ranges().stream().map(MemoryMap.Range::start).toList());
        assertEquals((1L << 32) + size / 2, map.ranges().getLast().end());
    }

    @Test
    void refusesWhatIsNoKernel() {
        assertRefused("kernel: the file is empty", new byte[0]);
        assertRefused("neither a Linux bzImage nor", new byte[10000]);
        assertRefused("neither a Linux bzImage nor", new byte[] {1, 2});
    }

    @Test
    void refusesSpoiltBzImages() {
        byte[] good = ImageBuilder.bzImage(ImageBuilder.elf64(true), true);
        assertRefused("kernel: boot_flag: 0xaa54", spoil(good, b -> b.putShort(0x1fe, (short) 0xaa54)));
        assertRefused("kernel: version: boot protocol 2.11", spoil(good, b -> b.putShort(0x206, (short) 0x20b)));
        assertRefused("kernel: loadflags", spoil(good, b -> b.put(0x211, (byte) 0)));
        assertRefused("kernel: xloadflags", spoil(good, b -> b.putShort(0x236, (short) 0)));
        assertRefused("kernel: kernel_alignment", spoil(good, b -> b.putInt(0x230, 12345)));
        assertRefused("kernel: pref_address", spoil(good, b -> b.putLong(0x258, 0x1000001)));
        assertRefused("kernel: pref_address", spoil(good, b -> b.putLong(0x258, -0x200000)));
        assertRefused("kernel: init_size", spoil(good, b -> b.putInt(0x260, 0x40000000)));
        assertRefused("kernel: init_size", spoil(good, b -> b.putInt(0x260, 0)));
        assertRefused("kernel: payload_length", spoil(good, b -> b.putInt(0x24c, -1)));
        assertRefused("kernel: payload_length", spoil(good, b -> b.putInt(0x248, 0x7fffffff)));
        assertRefused("kernel: syssize", spoil(good, b -> b.putInt(0x1f4, 0x7fffffff)));
        assertRefused("kernel: cmdline_size", spoil(good, b -> b.putInt(0x238, 5)));
        assertRefused(
                "kernel: payload", spoil(good, b -> b.put(1024 + 0x300 + 100, (byte) ~b.get(1024 + 0x300 + 100))));
        assertRefused("kernel: modules", good, new byte[1], new byte[1]);
        assertRefused("module: no room for 16777216 bytes", good, new byte[16 << 20]);
    }

    @Test
    void refusesSpoiltElfFiles() {
        byte[] good = ImageBuilder.elf64(true);
        assertRefused("e_ident[EI_CLASS]", spoil(good, b -> b.put(4, (byte) 3)));
        assertRefused("e_ident[EI_DATA]", spoil(good, b -> b.put(5, (byte) 2)));
        assertRefused("e_type", spoil(good, b -> b.putShort(16, (short) 1)));
        assertRefused("e_machine: 183", spoil(good, b -> b.putShort(18, (short) 183)));
        assertRefused("e_entry", spoil(good, b -> b.putLong(24, 0x42)));
        assertRefused("e_phoff", spoil(good, b -> b.putLong(32, Long.MAX_VALUE)));
        assertRefused("e_phentsize", spoil(good, b -> b.putShort(54, (short) 8)));
        assertRefused("e_phnum", spoil(good, b -> b.putShort(56, (short) 0xffff)));
        assertRefused("program header 0 p_filesz", spoil(good, b -> b.putLong(72, -4096)));
        assertRefused("program header 0 p_filesz", spoil(good, b -> b.putLong(96, Long.MAX_VALUE)));
        assertRefused("program header 0 p_memsz", spoil(good, b -> b.putLong(104, 1)));
        assertRefused("program header 0 p_paddr", spoil(good, b -> b.putLong(104, 1L << 60)));
        assertRefused("e_entry", spoil(good, b -> b.putLong(88, 0xe0000)));
        assertRefused(
                "program header 0 p_paddr",
                spoil(good, b -> b.putLong(88, 0xe0000).putLong(24, 0xe0000)));
        assertRefused("XEN_ELFNOTE_PHYS32_ENTRY", spoil(good, b -> b.putInt(0x200 + 36, 0x10)));
        assertRefused("n_descsz", spoil(good, b -> b.putInt(0x200 + 4, -1)));
    }

    @Test
    void refusesSpoiltMultibootKernels() {
        byte[] good = ImageBuilder.multiboot();
        assertRefused("asks for a video mode", spoil(good, b -> flags(b, 1 << 16 | 4)));
        assertRefused("requires something unknown", spoil(good, b -> flags(b, 1 << 16 | 8)));
        assertRefused("needs an ELF file", spoil(good, b -> flags(b, 3)));
        assertRefused("header_addr", spoil(good, b -> b.putInt(0x4c, 0x200000)));
        assertRefused("load_end_addr", spoil(good, b -> b.putInt(0x54, 0x102000)));
        assertRefused("bss_end_addr", spoil(good, b -> b.putInt(0x58, 0x100800)));
        assertRefused("load_addr", spoil(good, b -> b.putInt(0x58, -4096)));
        assertRefused("entry_addr", spoil(good, b -> b.putInt(0x5c, 0x300000)));
    }

    private static void flags(ByteBuffer image, int flags) {
        image.putInt(0x44, flags).putInt(0x48, -(0x1badb002 + flags));
    }

    /** Nothing but an EngineException of one line may come of any image. */
    @Test
    void survivesCutAndFlippedImages() {
        var random = new Random(42);
        List<byte[]> images = List.of(
                ImageBuilder.bzImage(ImageBuilder.elf64(true), true),
                ImageBuilder.bzImage(ImageBuilder.elf64(false), false),
                ImageBuilder.elf64(true),
                ImageBuilder.multiboot(),
                ImageBuilder.multibootElf());
        for (byte[] image : images) {
            for (int length = 0; length < image.length; length += 1 + random.nextInt(40)) {
                attempt(Arrays.copyOf(image, length), random.nextBoolean());
            }
            for (int i = 0; i < 1500; i++) {
                byte[] copy = image.clone();
                for (int n = random.nextInt(3); n >= 0; n--) {
                    int at = random.nextInt(Math.min(copy.length, 0x290));
                    copy[at] = (byte) (random.nextBoolean() ? random.nextInt() : copy[at] ^ 1 << random.nextInt(8));
                }
                attempt(copy, random.nextBoolean());
            }
        }
    }

    private void attempt(byte[] image, boolean unpack) {
        try {
            load(memory, image, unpack, new byte[10]);
        } catch (EngineException e) {
            assertFalse(e.getMessage().contains("\n"), e.getMessage());
        }
    }
}
