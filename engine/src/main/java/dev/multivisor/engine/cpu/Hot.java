package dev.multivisor.engine.cpu;

/**
 * The interpreter's switch keys. Arithmetic has one for each operation, operand shape and size: their sum, such as
 * {@code ADD + RM + Q}. The others follow; {@link #GENERAL} is everything else.
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

    /** Sizes: byte, doubleword, quadword. */
    static final int B = 0, D = 1, Q = 2;

    /** Operand shapes: register and register, immediate or memory, memory and register or immediate. */
    static final int RR = 0, RI = 3, RM = 6, MR = 9, MI = 12;

    /** Operations with all shapes. */
    static final int ADD = 15,
            OR = 30,
            ADC = 45,
            SBB = 60,
            AND = 75,
            SUB = 90,
            XOR = 105,
            CMP = 120,
            TEST = 135,
            MOV = 150;

    /** Word moves. */
    static final int LOAD16 = 165, STORE16 = 166, STORE16_I = 167;

    static final int LEA64 = 168, LEA32 = 169;

    /** Zero extensions; the destination's size does not matter. */
    static final int MOVZX_R8 = 170, MOVZX_R16 = 171, MOVZX_M8 = 172, MOVZX_M16 = 173;

    /** Sign extensions to 32 and 64 bits. */
    static final int MOVSX32_R8 = 174,
            MOVSX32_R16 = 175,
            MOVSX32_M8 = 176,
            MOVSX32_M16 = 177,
            MOVSX64_R8 = 178,
            MOVSX64_R16 = 179,
            MOVSX64_R32 = 180,
            MOVSX64_M8 = 181,
            MOVSX64_M16 = 182,
            MOVSX64_M32 = 183;

    static final int PUSH_R = 184, PUSH_I = 185, PUSH_M = 186, POP_R = 187, LEAVE = 188;

    /** Near transfers of control in 64-bit mode. The sixteen conditions follow JCC. */
    static final int CALL = 189, CALL_R = 190, CALL_M = 191, JMP = 192, JMP_R = 193, JMP_M = 194, RET = 195, JCC = 196;

    /** Shifts of a register by an immediate or CL, to which a size of D or Q is added. */
    static final int SHL_I = 212,
            SHR_I = 215,
            SAR_I = 218,
            ROL_I = 221,
            ROR_I = 224,
            SHL_CL = 227,
            SHR_CL = 230,
            SAR_CL = 233,
            ROL_CL = 236,
            ROR_CL = 239;

    /** Others to which a size is added. */
    static final int INC = 242,
            DEC = 245,
            NEG = 248,
            NOT = 251,
            IMUL_RR = 254,
            IMUL_RM = 257,
            IMUL_RRI = 260,
            CMOV_R = 263,
            CMOV_M = 266,
            BT_R = 269,
            BT_I = 272,
            XCHG = 275,
            INC_M = 278,
            DEC_M = 281,
            CBW = 284,
            CWD = 287,
            SHLD_I = 290,
            SHRD_I = 293;

    static final int SETCC_R = 296,
            SETCC_M = 297,
            NOP = 298,
            MUL64_R = 299,
            MUL64_M = 300,
            BSWAP64 = 301,
            BSWAP32 = 302;

    /** Reached for a device when it was executed last. */
    static final int DEVICE = 303;

    private Hot() {}
}
