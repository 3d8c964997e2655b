package dev.multivisor.cli;

final class Placeholder {}
