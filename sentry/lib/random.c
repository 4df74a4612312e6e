// SPDX-License-Identifier: Apache-2.0
/*
 * Random numbers: ChaCha20 keyed by the host (HC_RANDOM), with fast key erasure: every request
 * replaces the key first, so that a captured state tells nothing about earlier output. The host is
 * asked again after RESEED_BYTES. RFC 8439 for the block function.
 */
#include "sentry/lib/lock.h"
#include "sentry/mm/mm.h"

#define RESEED_BYTES (1u << 20)
#define KEY_WORDS    8

/* Guarded by lock. */
static struct {
    struct spinlock lock;
    u32 key[KEY_WORDS];
    u64 left; /* bytes until the next seed from the host */
    void *seed_page;
} rng;

static inline u32 rotl(u32 v, int n)
{
    return v << n | v >> (32 - n);
}

static inline void quarter(u32 *x, int a, int b, int c, int d)
{
    x[a] += x[b];
    x[d] = rotl(x[d] ^ x[a], 16);
    x[c] += x[d];
    x[b] = rotl(x[b] ^ x[c], 12);
    x[a] += x[b];
    x[d] = rotl(x[d] ^ x[a], 8);
    x[c] += x[d];
    x[b] = rotl(x[b] ^ x[c], 7);
}

static void chacha20_block(const u32 key[KEY_WORDS], u64 counter, u32 out[16])
{
    u32 in[16] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};
    u32 x[16];

    memcpy(in + 4, key, KEY_WORDS * sizeof(u32));
    in[12] = (u32)counter;
    in[13] = (u32)(counter >> 32);
    memcpy(x, in, sizeof(x));
    for (int i = 0; i < 10; i++) {
        quarter(x, 0, 4, 8, 12);
        quarter(x, 1, 5, 9, 13);
        quarter(x, 2, 6, 10, 14);
        quarter(x, 3, 7, 11, 15);
        quarter(x, 0, 5, 10, 15);
        quarter(x, 1, 6, 11, 12);
        quarter(x, 2, 7, 8, 13);
        quarter(x, 3, 4, 9, 14);
    }
    for (int i = 0; i < 16; i++)
        out[i] = x[i] + in[i];
}

/* Mix fresh host randomness into the key. */
static void reseed(void)
{
    u32 *seed;

    if (!rng.seed_page) {
        struct page *p = page_alloc(0, 0);
        if (!p)
            panic("random: no memory for the seed");
        rng.seed_page = page_virt(p);
    }
    seed = rng.seed_page;
    if (HOSTCALL(HC_RANDOM, virt_to_phys(seed), sizeof(rng.key)) < 0)
        panic("random: the host gives no randomness");
    for (int i = 0; i < KEY_WORDS; i++)
        rng.key[i] ^= seed[i];
    memset(seed, 0, sizeof(rng.key));
    rng.left = RESEED_BYTES;
}

void random_bytes(void *buf, size_t n)
{
    u32 key[KEY_WORDS], block[16];
    u8 *p = buf;

    spin_lock(&rng.lock);
    if (rng.left < n)
        reseed();
    rng.left -= MIN((u64)n, rng.left);
    chacha20_block(rng.key, 0, block);
    memcpy(rng.key, block, sizeof(rng.key));
    memcpy(key, block + KEY_WORDS, sizeof(key));
    spin_unlock(&rng.lock);

    for (u64 counter = 1; n; counter++) {
        size_t k = MIN(n, sizeof(block));
        chacha20_block(key, counter, block);
        memcpy(p, block, k);
        p += k;
        n -= k;
    }
    memset(key, 0, sizeof(key));
    memset(block, 0, sizeof(block));
}
