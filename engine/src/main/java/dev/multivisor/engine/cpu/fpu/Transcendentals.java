package dev.multivisor.engine.cpu.fpu;

final class Transcendentals {
    Transcendentals(Extended x) {}
}
