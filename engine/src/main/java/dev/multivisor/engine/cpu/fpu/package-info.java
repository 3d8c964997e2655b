/** The x87 FPU: 80-bit arithmetic in integers, the register stack, its environment and transcendental functions. */
package dev.multivisor.engine.cpu.fpu;
