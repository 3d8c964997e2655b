package dev.multivisor.engine.device.i8042;

/**
 * State of {@link I8042}.
 *
 * @param mode the controller command byte
 * @param command the command whose data byte is awaited, or -1
 * @param output the byte in the output buffer, or -1
 * @param auxiliary whether that byte is marked as from the auxiliary device
 */
public record I8042State(int mode, int command, int output, boolean auxiliary) {}
