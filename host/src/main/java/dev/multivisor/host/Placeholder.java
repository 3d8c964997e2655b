package dev.multivisor.host;

final class Placeholder {}
