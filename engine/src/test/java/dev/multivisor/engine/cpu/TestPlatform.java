package dev.multivisor.engine.cpu;

/** A platform where nothing is connected: reads are all ones, the time stands still. */
class TestPlatform implements Platform {
    @Override
    public int in(int port, int size) {
        return -1;
    }

    @Override
    public void out(int port, int size, int value) {}

    @Override
    public long tsc(Cpu cpu) {
        return cpu.instructions;
    }

    @Override
    public void setTsc(Cpu cpu, long value) {}

    @Override
    public long readMsr(Cpu cpu, int index) {
        throw cpu.fault(CpuFault.GP);
    }

    @Override
    public void writeMsr(Cpu cpu, int index, long value) {
        throw cpu.fault(CpuFault.GP);
    }

    @Override
    public long random(Cpu cpu) {
        return cpu.instructions;
    }

    @Override
    public int taskPriority(Cpu cpu) {
        return 0;
    }

    @Override
    public void setTaskPriority(Cpu cpu, int priority) {}
}
