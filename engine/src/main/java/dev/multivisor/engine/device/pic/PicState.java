package dev.multivisor.engine.device.pic;

/** State of {@link Pic}: both 8259As. */
public record PicState(Chip master, Chip slave) {
    /**
     * One 8259A.
     *
     * @param lines levels of its inputs
     * @param irr interrupt request register
     * @param isr in-service register
     * @param imr interrupt mask register
     * @param elcr inputs that are level-triggered
     * @param vectorBase ICW2
     * @param priorityBase the input of the highest priority
     * @param initStep which ICW comes next at the odd port, or 0 outside initialization
     * @param flags modes, as bits of {@link Pic8259}
     */
    public record Chip(
            int lines,
            int irr,
            int isr,
            int imr,
            int elcr,
            int vectorBase,
            int priorityBase,
            int initStep,
            int flags) {}
}
