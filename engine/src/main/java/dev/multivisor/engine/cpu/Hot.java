package dev.multivisor.engine.cpu;

/**
 * The interpreter's switch keys. Arithmetic has one for each operation, operand shape and size: their sum, such as
 * {@code ADD + RM + Q}; {@link #GENERAL} is everything that has none.
 *
 * <p>Their order matters: HotSpot takes the cases of a switch from the last to the first, and puts what they call in line
 * until the method has 18,000 nodes (NodeCountInliningCutoff). So the most frequent and the smallest are the last; those
 * of {@link SeldomForms} are the first.
 */
final class Hot {
    /** Handled by {@link Dispatch}. */
    static final int GENERAL = 0;

    /** Leave the block here: it has been dropped, because its bytes were written. */
    static final int EXIT = 1;

    /** After the last instruction of a block, if that does not set RIP. */
    static final int END = 2;

    /** Last in a block, after which anything about the CPU may have changed; one that sets RIP, one that does not. */
    static final int GENERAL_END = 3, GENERAL_FALL = 4;

    /** A repeated string instruction, which may be left unfinished. */
    static final int REPEATED = 5;

    /** Reached for a device when it was executed last. */
    static final int DEVICE = 6;

    /** Sizes: byte, doubleword, quadword. */
    static final int B = 0, D = 1, Q = 2;

    /** Operations with all shapes. */
    static final int ADD = 0, OR = 3, ADC = 6, SBB = 9, AND = 12, SUB = 15, XOR = 18, CMP = 21, TEST = 24, MOV = 27;

    /** Rotations and shifts of a register by CL and by an immediate, to which a size of D or Q is added. */
    static final int ROL_CL = 7, ROR_CL = 10, SHL_CL = 13, SHR_CL = 16, SAR_CL = 19, ROL_I = 22, ROR_I = 25;

    /** Others to which a size is added. */
    static final int INC_M = 28,
            DEC_M = 31,
            IMUL_RM = 34,
            IMUL_RRI = 37,
            CMOV_M = 40,
            SHLD_I = 43,
            SHRD_I = 46,
            BT_R = 49,
            BT_I = 52,
            XCHG = 55,
            CBW = 58,
            CWD = 61,
            NEG = 64,
            NOT = 67,
            INC = 70,
            DEC = 73;

    static final int MUL64_R = 76, MUL64_M = 77, BSWAP64 = 78, BSWAP32 = 79, SETCC_M = 80;

    /** Word moves. */
    static final int LOAD16 = 81, STORE16 = 82, STORE16_I = 83;

    /** Sign extensions to 32 and 64 bits. */
    static final int MOVSX32_R8 = 84,
            MOVSX32_R16 = 85,
            MOVSX32_M8 = 86,
            MOVSX32_M16 = 87,
            MOVSX64_R8 = 88,
            MOVSX64_R16 = 89,
            MOVSX64_R32 = 90,
            MOVSX64_M8 = 91,
            MOVSX64_M16 = 92,
            MOVSX64_M32 = 93;

    /** Operand shapes: memory and immediate or register, register and memory. */
    static final int MI = 94, MR = MI + 30, RM = MR + 30;

    /** Zero extensions; the destination's size does not matter. */
    static final int MOVZX_R8 = RM + 30, MOVZX_R16 = MOVZX_R8 + 1, MOVZX_M8 = MOVZX_R8 + 2, MOVZX_M16 = MOVZX_R8 + 3;

    static final int PUSH_I = MOVZX_M16 + 1,
            PUSH_M = PUSH_I + 1,
            LEAVE = PUSH_M + 1,
            PUSH_R = LEAVE + 1,
            POP_R = PUSH_R + 1;

    /** Near transfers of control in 64-bit mode. */
    static final int CALL_M = POP_R + 1,
            CALL_R = CALL_M + 1,
            JMP_M = CALL_R + 1,
            JMP_R = JMP_M + 1,
            CALL = JMP_R + 1,
            RET = CALL + 1;

    /** Shifts of a register by an immediate, to which a size of D or Q is added. */
    static final int SHL_I = RET + 1, SHR_I = SHL_I + 3, SAR_I = SHR_I + 3;

    /** To the first two a size is added. */
    static final int IMUL_RR = SAR_I + 3, CMOV_R = IMUL_RR + 3, SETCC_R = CMOV_R + 3;

    static final int LEA64 = SETCC_R + 1, LEA32 = LEA64 + 1;

    static final int NOP = LEA32 + 1;

    /** MOV with an immediate of more than 32 bits. */
    static final int MOV_ABSOLUTE = NOP + 1;

    /** Operand shapes: register and immediate or register. */
    static final int RI = MOV_ABSOLUTE + 1, RR = RI + 30;

    /** The sixteen conditions follow. */
    static final int JCC = RR + 30;

    static final int JMP = JCC + 16;

    private Hot() {}
}
