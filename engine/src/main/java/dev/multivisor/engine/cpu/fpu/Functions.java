package dev.multivisor.engine.cpu.fpu;

import static dev.multivisor.engine.cpu.fpu.Extended.BIAS;
import static dev.multivisor.engine.cpu.fpu.Extended.EXPONENT;
import static dev.multivisor.engine.cpu.fpu.Extended.INTEGER_BIT;
import static dev.multivisor.engine.cpu.fpu.Extended.SIGN;
import static dev.multivisor.engine.cpu.fpu.Extended.ZE;
import static dev.multivisor.engine.cpu.fpu.Extended.isInfinity;
import static dev.multivisor.engine.cpu.fpu.Extended.isZero;

import dev.multivisor.engine.cpu.Cpu;
import dev.multivisor.engine.isa.Instruction;

/** The instructions of the transcendental functions: special operands, the stack and condition codes. */
final class Functions {
    /** Trigonometric functions take magnitudes less than 2^63; others set C2 and stay. */
    private static final int OUT_OF_RANGE = BIAS + 63;

    private static final long PI = 0xc90fdaa22168c234L, THREE_QUARTERS_PI = 0x96cbe3f9990e91a7L;

    /** What follows the significands above. */
    private static final long PI_REST = 0xc4c6628b80dc1cd1L, THREE_QUARTERS_PI_REST = 0x9394c9e8a0a5159dL;

    private Functions() {}

    // ---- FSIN, FCOS, FSINCOS, FPTAN ----

    static void fsin(Cpu cpu, Instruction i, boolean cosine) {
        Extended x = cpu.x87;
        boolean ready = Operations.unary(cpu, i, x);
        cpu.fpuStatus &= ~Registers.C2;
        int top = Registers.physical(cpu, 0);
        if (!ready || outOfRange(cpu, top)) {
            return;
        }
        trigonometric(x, cpu.stSignificand[top], cpu.stExponent[top], cosine);
        Operations.finish(cpu, x, top, 0);
    }

    private static boolean outOfRange(Cpu cpu, int top) {
        int exp = cpu.stExponent[top] & EXPONENT;
        if (exp < OUT_OF_RANGE || exp == EXPONENT || cpu.stSignificand[top] >= 0) {
            return false;
        }
        cpu.fpuStatus |= Registers.C2;
        return true;
    }

    /** Sine or cosine of what is in range. */
    private static void trigonometric(Extended x, long sig, int exp, boolean cosine) {
        if (x.nanOperand(sig, exp)) {
            return;
        }
        if (isInfinity(sig, exp)) {
            x.invalid();
        } else if (sig == 0) {
            if (cosine) {
                x.setOne(0);
            } else {
                x.set(sig, exp);
            }
        } else {
            x.denormal(sig, exp);
            if (cosine) {
                x.transcendentals.cosine(sig, exp);
            } else {
                x.transcendentals.sine(sig, exp);
            }
        }
    }

    /** Begins FSINCOS and FPTAN, which replace ST(0) and push. Returns the register of ST(0), or -1 if all is done. */
    private static int replaceAndPush(Cpu cpu, Instruction i, Extended x) {
        x.start(cpu.fpuControl);
        Registers.begin(cpu, i);
        cpu.fpuStatus &= ~Registers.C2;
        int top = Registers.physical(cpu, 0);
        if (Registers.empty(cpu, top)) {
            if (Registers.underflow(cpu, x)) {
                Registers.write(cpu, top, x);
                Registers.push(cpu, x);
            }
            return -1;
        }
        if (!Registers.empty(cpu, Registers.physical(cpu, 7))) {
            Operations.stackOverflow(cpu, x, top);
            return -1;
        }
        return outOfRange(cpu, top) ? -1 : top;
    }

    static void fsincos(Cpu cpu, Instruction i) {
        Extended x = cpu.x87;
        int top = replaceAndPush(cpu, i, x);
        if (top < 0) {
            return;
        }
        long sig = cpu.stSignificand[top];
        int exp = cpu.stExponent[top];
        trigonometric(x, sig, exp, false);
        long sineSig = x.significand;
        int sineExp = x.exponent;
        trigonometric(x, sig, exp, true);
        if (Registers.raise(cpu, x.exceptions)) {
            Registers.rounded(cpu, x);
            Registers.write(cpu, top, sineSig, sineExp);
            Registers.push(cpu, x);
        }
    }

    static void fptan(Cpu cpu, Instruction i) {
        Extended x = cpu.x87;
        int top = replaceAndPush(cpu, i, x);
        if (top < 0) {
            return;
        }
        long sig = cpu.stSignificand[top];
        int exp = cpu.stExponent[top];
        boolean nan = x.nanOperand(sig, exp);
        if (!nan && isInfinity(sig, exp)) {
            nan = true;
            x.invalid();
        } else if (!nan && sig == 0) {
            x.set(sig, exp);
        } else if (!nan) {
            x.denormal(sig, exp);
            x.transcendentals.tangent(sig, exp);
        }
        if (Registers.raise(cpu, x.exceptions)) {
            Registers.rounded(cpu, x);
            Registers.write(cpu, top, x);
            if (!nan) {
                x.setOne(0);
            }
            Registers.push(cpu, x);
        }
    }

    // ---- FPATAN (Intel SDM vol. 2, table 3-38) ----

    static void fpatan(Cpu cpu, Instruction i) {
        Extended x = cpu.x87;
        if (!Operations.binary(cpu, i, x, 1)) {
            return;
        }
        int top = Registers.physical(cpu, 0);
        int target = Registers.physical(cpu, 1);
        long xs = cpu.stSignificand[top];
        int xe = cpu.stExponent[top];
        long ys = cpu.stSignificand[target];
        int ye = cpu.stExponent[target];
        if (!x.nanOperands(ys, ye, xs, xe)) {
            x.denormal(ys, ye, xs, xe);
            boolean behind = (xe & SIGN) != 0;
            boolean xInfinite = isInfinity(xs, xe);
            if (isInfinity(ys, ye)) {
                if (!xInfinite) {
                    x.round(ye & SIGN, BIAS, PI, PI_REST, 64);
                } else if (behind) {
                    x.round(ye & SIGN, BIAS + 1, THREE_QUARTERS_PI, THREE_QUARTERS_PI_REST, 64);
                } else {
                    x.round(ye & SIGN, BIAS - 1, PI, PI_REST, 64);
                }
            } else if (ys == 0 || xInfinite) {
                if (behind) {
                    x.round(ye & SIGN, BIAS + 1, PI, PI_REST, 64);
                } else {
                    x.setZero(ye & SIGN);
                }
            } else if (xs == 0) {
                x.round(ye & SIGN, BIAS, PI, PI_REST, 64);
            } else {
                x.transcendentals.arctangent(ys, ye, xs, xe);
            }
        }
        Operations.finish(cpu, x, target, 1);
    }

    // ---- F2XM1, FYL2X, FYL2XP1 ----

    /** Arguments outside of [-1, 1] give undefined results: here the limits of the function, or the argument. */
    static void f2xm1(Cpu cpu, Instruction i) {
        Extended x = cpu.x87;
        if (!Operations.unary(cpu, i, x)) {
            return;
        }
        int top = Registers.physical(cpu, 0);
        long sig = cpu.stSignificand[top];
        int exp = cpu.stExponent[top];
        if (!x.nanOperand(sig, exp)) {
            x.denormal(sig, exp);
            if (isInfinity(sig, exp) && (exp & SIGN) != 0) {
                x.setOne(SIGN);
            } else if (sig == 0 || isInfinity(sig, exp)) {
                x.set(sig, exp);
            } else if ((exp & EXPONENT) >= BIAS) {
                x.set(sig, exp == (SIGN | BIAS) && sig == INTEGER_BIT ? SIGN | BIAS - 1 : exp);
            } else {
                x.transcendentals.exponential(sig, exp);
            }
        }
        Operations.finish(cpu, x, top, 0);
    }

    /** Intel SDM vol. 2, table 3-56. */
    static void fyl2x(Cpu cpu, Instruction i) {
        Extended x = cpu.x87;
        if (!Operations.binary(cpu, i, x, 1)) {
            return;
        }
        int top = Registers.physical(cpu, 0);
        int target = Registers.physical(cpu, 1);
        long vs = cpu.stSignificand[top];
        int ve = cpu.stExponent[top];
        long ys = cpu.stSignificand[target];
        int ye = cpu.stExponent[target];
        if (!x.nanOperands(ys, ye, vs, ve)) {
            logarithm(x, ys, ye, vs, ve);
        }
        Operations.finish(cpu, x, target, 1);
    }

    private static void logarithm(Extended x, long ys, int ye, long vs, int ve) {
        int sign = ye & SIGN;
        boolean infinite = isInfinity(ys, ye);
        // The logarithm is negative up to 1, and has another sign beyond.
        int relation = (ve & EXPONENT) < BIAS ? -1 : ve == BIAS && vs == INTEGER_BIT ? 0 : 1;
        if (vs == 0) {
            if (isZero(ys, ye)) {
                x.invalid();
                return;
            }
            if (infinite) {
                x.setInfinity(sign ^ SIGN);
                return;
            }
            x.exceptions |= ZE;
            x.setInfinity(sign ^ SIGN);
        } else if ((ve & SIGN) != 0 || infinite && relation == 0 || isInfinity(vs, ve) && ys == 0) {
            x.invalid();
        } else {
            x.denormal(ys, ye, vs, ve);
            if (infinite || isInfinity(vs, ve)) {
                x.setInfinity(relation < 0 ? sign ^ SIGN : sign);
            } else if (ys == 0 || relation == 0) {
                x.setZero(relation < 0 ? sign ^ SIGN : sign);
            } else {
                x.transcendentals.logarithm(ys, ye, vs, ve);
            }
        }
    }

    /** Intel SDM vol. 2, table 3-57. */
    static void fyl2xp1(Cpu cpu, Instruction i) {
        Extended x = cpu.x87;
        if (!Operations.binary(cpu, i, x, 1)) {
            return;
        }
        int top = Registers.physical(cpu, 0);
        int target = Registers.physical(cpu, 1);
        long vs = cpu.stSignificand[top];
        int ve = cpu.stExponent[top];
        long ys = cpu.stSignificand[target];
        int ye = cpu.stExponent[target];
        if (!x.nanOperands(ys, ye, vs, ve)) {
            boolean minusOneOrLess = (ve & SIGN) != 0 && (ve & EXPONENT) >= BIAS;
            boolean infinite = isInfinity(ys, ye);
            int sign = (ye ^ ve) & SIGN;
            if (minusOneOrLess || infinite && vs == 0 || isInfinity(vs, ve) && ys == 0) {
                x.invalid();
            } else {
                x.denormal(ys, ye, vs, ve);
                if (infinite || isInfinity(vs, ve)) {
                    x.setInfinity(sign);
                } else if (ys == 0 || vs == 0) {
                    x.setZero(sign);
                } else {
                    x.transcendentals.logarithmPlusOne(ys, ye, vs, ve);
                }
            }
        }
        Operations.finish(cpu, x, target, 1);
    }
}
