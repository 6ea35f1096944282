// CRC-32C with the processor's instruction. Swift has no word for it.
#include <stddef.h>
#include <stdint.h>

#if defined(__x86_64__)

/// True where the processor has the instructions of `crc32c_by_instruction`: SSE4.2 and PCLMULQDQ.
static inline int crc32c_has_instruction(void) {
    uint32_t a = 1, b, c = 0, d;
    __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    return (c >> 20 & 1) & (c >> 1 & 1);
}

typedef long long crc32c_words __attribute__((vector_size(16)));

static inline __attribute__((always_inline, target("sse4.2,pclmul"))) uint64_t crc32c_word(
    uint64_t crc, const uint8_t *_Nonnull place) {
    uint64_t word;
    __builtin_memcpy(&word, place, 8);
    return __builtin_ia32_crc32di(crc, word);
}

/// The product of two polynomials of 32 bits, reflected: one power of x more than that of the polynomials.
static inline __attribute__((always_inline, target("sse4.2,pclmul"))) uint64_t crc32c_product(
    uint64_t crc, uint64_t power) {
    crc32c_words left = {(long long)crc, 0}, right = {(long long)power, 0};
    return (uint64_t)__builtin_ia32_pclmulqdq128(left, right, 0)[0];
}

/// The register after `count` bytes, `crc` before them.
///
/// A step waits three cycles for the one before. So a block is four lanes of 64 bytes, whose steps do not,
/// and the register is linear: before n more bytes a lane's is multiplied by x^(8n). A product has 63 bits,
/// one power more than it should, and the instruction takes it back to 32 with 32 powers more: so the
/// factors are x^(8n - 33) modulo the polynomial, for n of 192, 128 and 64.
static inline __attribute__((target("sse4.2,pclmul"))) uint32_t crc32c_by_instruction(
    uint32_t before, const void *_Nonnull start, size_t count) {
    const uint8_t *place = (const uint8_t *)start;
    const uint8_t *end = place + count;
    uint64_t crc = before;
    while (end - place >= 256) {
        uint64_t second = 0, third = 0, fourth = 0;
        for (int offset = 0; offset < 64; offset += 8) {
            crc = crc32c_word(crc, place + offset);
            second = crc32c_word(second, place + 64 + offset);
            third = crc32c_word(third, place + 128 + offset);
            fourth = crc32c_word(fourth, place + 192 + offset);
        }
        uint64_t earlier = crc32c_product(crc, 0xAB7AFF2A) ^ crc32c_product(second, 0x0D3B6092)
            ^ crc32c_product(third, 0x9E4ADDF8);
        crc = fourth ^ __builtin_ia32_crc32di(0, earlier);
        place += 256;
    }
    for (; end - place >= 8; place += 8) crc = crc32c_word(crc, place);
    for (; place < end; place++) crc = __builtin_ia32_crc32qi((uint32_t)crc, *place);
    return (uint32_t)crc;
}

#else

static inline int crc32c_has_instruction(void) { return 0; }
static inline uint32_t crc32c_by_instruction(
    uint32_t before, const void *_Nonnull start, size_t count) {
    return before;
}

#endif
