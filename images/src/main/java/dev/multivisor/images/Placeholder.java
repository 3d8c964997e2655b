package dev.multivisor.images;

final class Placeholder {}
