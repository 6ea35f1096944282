/// Asks the processor to load a line of memory that will be read soon. Swift has no word for it.
static inline __attribute__((always_inline)) void prefetch(const void *_Nonnull place) {
    __builtin_prefetch(place);
}
