package dev.multivisor.engine.device;

import java.util.ArrayList;
import java.util.List;

/** Writes down what a guest asks of the machine. */
public final class TestControl implements MachineControl {
    public final List<String> asked = new ArrayList<>();

    @Override
    public void powerOff() {
        asked.add("off");
    }

    @Override
    public void reset() {
        asked.add("reset");
    }

    @Override
    public void debugExit(int status) {
        asked.add("exit " + status);
    }
}
