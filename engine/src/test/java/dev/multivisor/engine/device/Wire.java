package dev.multivisor.engine.device;

/** A wire whose level and rising edges a test looks at. */
public final class Wire implements IrqLine {
    public boolean level;
    public int edges;

    @Override
    public void set(boolean value) {
        if (value && !level) {
            edges++;
        }
        level = value;
    }
}
