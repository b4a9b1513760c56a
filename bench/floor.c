/* The least that a kernel's memory traffic costs: plain loops over the same arrays.
 *
 * A loop here touches what a kernel touches, in the same order and with the same prefetch, and
 * does almost nothing with it. What a kernel takes beyond it is arithmetic and decisions.
 */

#include <stdint.h>

#define AHEAD 32
/* A series of a hundred samples takes 50 ns: 4 of them cover a miss of 200. */
#define SERIES_AHEAD 4

typedef double vector __attribute__((vector_size(64), aligned(64)));
typedef double half __attribute__((vector_size(32), aligned(32)));

/* Of a CARD of 32 bytes the floor needs only where its site is. */
typedef struct {
    double low, high;
    uint32_t row, link, site;
    uint16_t bank;
} card;

/* The clock of a site, its link and its oldest pane in one place. */
typedef struct {
    int64_t link[2], clock, pane;
} site;

static inline int64_t ahead_of(int64_t i, int64_t n) { return i + AHEAD < n ? i + AHEAD : n - 1; }

/* stage.admit: read a card, touch a site, read and write the columns of a batch. */
void floor_admit(const int32_t *sensor, const int64_t *time_ns, const int64_t *latest_ns,
                 const float *value, const uint8_t *quality, const card *cards, site *sites,
                 uint8_t *outcome, int64_t *slot, uint32_t *moment, int64_t *horizon_ns, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        __builtin_prefetch(&cards[sensor[ahead_of(i, n)]], 0, 3);
        const card *mine = &cards[sensor[i]];
        site *its = &sites[mine->site];
        its->link[0] = time_ns[i];
        its->clock = latest_ns[i];
        outcome[i] = quality[i] + (value[i] > mine->high) + (value[i] < mine->low);
        slot[i] = mine->row + its->pane;
        moment[i] = (uint32_t)time_ns[i];
        horizon_ns[i] = its->clock;
    }
}

/* panes.fold_points: read and write the lines of the slots, one or two cache lines each. */
void floor_points(vector *lines, int64_t line_vectors, const int64_t *slot, const uint32_t *moment,
                  const float *value, const uint8_t *outcome, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        vector *coming = &lines[slot[ahead_of(i, n)] * line_vectors];
        vector *line = &lines[slot[i] * line_vectors];
        for (int64_t part = 0; part < line_vectors; part++)
            __builtin_prefetch(&coming[part], 1, 3);
        double x = (double)value[i] + moment[i] + outcome[i];
        for (int64_t part = 0; part < line_vectors; part++)
            line[part] += x;
    }
}

/* panes.fold_series, onset.stalta_series: read a sensor's samples, touch its line once (and its ratio).
 */
void floor_series(vector *lines, const int64_t *line_of, const card *cards, const int32_t *sensor,
                  const float *value, const uint8_t *outcome, double *ratio, int64_t m,
                  int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        int64_t coming = i + SERIES_AHEAD < n ? i + SERIES_AHEAD : n - 1;
        __builtin_prefetch(&cards[sensor[coming]], 0, 3);
        __builtin_prefetch(&lines[line_of[coming]], 1, 3);
        if (ratio)
            __builtin_prefetch(&ratio[2 * (int64_t)sensor[coming]], 1, 3);
        float sum[64] = {0};
        uint8_t bad[64] = {0};
        int64_t j = 0;
        for (; j + 64 <= m; j += 64)
            for (int64_t k = 0; k < 64; k++) {
                sum[k] += value[i * m + j + k];
                bad[k] |= outcome[i * m + j + k];
            }
        for (; j < m; j++) {
            sum[0] += value[i * m + j];
            bad[0] |= outcome[i * m + j];
        }
        double x = cards[sensor[i]].low;
        for (int64_t k = 0; k < 64; k++)
            x += sum[k] + bad[k];
        lines[line_of[i]] += x;
        if (ratio)
            ratio[2 * (int64_t)sensor[i]] = x;
    }
}

/* ladder.codes and latch.apply_readings: the two passes over a batch, and one line a reading. */
void floor_latch(vector *lines, const int32_t *row, const int64_t *time_ns, const float *value,
                 const uint8_t *outcome, const int64_t *horizon_ns, uint16_t *code,
                 uint8_t *applies, int64_t n) {
    for (int64_t i = 0; i < n; i++)
        code[i] = value[i] >= 1.0f;
    for (int64_t i = 0; i < n; i++)
        applies[i] = outcome[i] < 2;
    for (int64_t i = 0; i < n; i++) {
        __builtin_prefetch(&lines[row[ahead_of(i, n)]], 1, 3);
        lines[row[i]] += (double)(time_ns[i] + horizon_ns[i]) + value[i] + code[i] + applies[i];
    }
}

/* latch.apply_panes: ranges of lines one after another. */
void floor_panes(vector *lines, const int64_t *start_row, const int64_t *stop_row,
                 const double *value, const uint16_t *code, int64_t ranges) {
    int64_t i = 0;
    for (int64_t q = 0; q < ranges; q++)
        for (int64_t row = start_row[q]; row < stop_row[q]; row++, i++)
            lines[row] += value[i] + code[i];
}

/* One tick of a window of `width` panes over ranges of rows: sums (6 fields) or bounds (2).
 *
 * ring is [fields][width][rows], back [fields][rows], pane and out [fields][block]; the flip at
 * the end of a cycle reads and writes the whole ring, as that of the kernel does.
 */
void floor_tick(double *restrict ring, double *restrict back, int64_t fields, int64_t width,
                int64_t rows, int64_t position, const int64_t *low_row, const int64_t *high_row,
                int64_t ranges, const double *restrict pane, double *restrict out, int64_t block) {
    int64_t o = 0;
    for (int64_t r = 0; r < ranges; r++) {
        int64_t n = high_row[r] - low_row[r];
        for (int64_t f = 0; f < fields; f++) {
            double *mine = &ring[(f * width + position) * rows + low_row[r]];
            double *b = &back[f * rows + low_row[r]];
            const double *in = &pane[f * block + o];
            double *w = &out[f * block + o];
            if (position + 1 < width) {
                const double *next = mine + rows;
                for (int64_t i = 0; i < n; i++) {
                    mine[i] = in[i];
                    b[i] += in[i];
                    w[i] = next[i] + b[i];
                }
                continue;
            }
            for (int64_t i = 0; i < n; i++) {
                mine[i] = in[i];
                w[i] = b[i] + in[i];
                b[i] = 0.0;
            }
            for (int64_t p = width - 2; p >= 0; p--) {
                double *here = &ring[(f * width + p) * rows + low_row[r]];
                for (int64_t i = 0; i < n; i++)
                    here[i] += here[i + rows];
            }
        }
        o += n;
    }
}

/* raw.fold_raw: read and write half a cache line of each slot. */
void floor_raw(half *lines, const int64_t *slot, const uint32_t *moment, const float *value,
               const uint8_t *outcome, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        __builtin_prefetch(&lines[slot[ahead_of(i, n)]], 1, 3);
        lines[slot[i]] += (double)value[i] + moment[i] + outcome[i];
    }
}

/* onset.stalta_points: a card, half a line and a ratio of each reading. */
void floor_stalta(half *lines, const card *cards, const int32_t *sensor, const int64_t *time_ns,
                  const float *value, const uint8_t *outcome, const int64_t *slot, double *ratio,
                  int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        int64_t coming = sensor[ahead_of(i, n)];
        __builtin_prefetch(&cards[coming], 0, 3);
        __builtin_prefetch(&lines[coming], 1, 3);
        __builtin_prefetch(&ratio[slot[ahead_of(i, n)]], 1, 3);
        double x = (double)time_ns[i] + value[i] + outcome[i] + cards[sensor[i]].bank;
        lines[sensor[i]] += x;
        ratio[slot[i]] = x;
    }
}

/* stage.examine_series: read the samples of a sensor, write their outcomes and a tally. */
void floor_examine(const int32_t *sensor, const float *value, const card *cards, uint8_t *outcome,
                   int64_t *tally, int64_t m, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        __builtin_prefetch(&cards[sensor[i + SERIES_AHEAD < n ? i + SERIES_AHEAD : n - 1]], 0, 3);
        float low = (float)cards[sensor[i]].low, high = (float)cards[sensor[i]].high;
        uint32_t bad = 0;
        for (int64_t j = 0; j < m; j++) {
            float x = value[i * m + j];
            uint8_t is_bad = !(x >= low && x <= high);
            outcome[i * m + j] = is_bad;
            bad += is_bad;
        }
        tally[i * 9] += m - bad;
    }
}

/* panes.close_panes, raw.close_raw: read lines of 64 or 32 bytes, write columns, free the slots. */
void floor_close(double *lines, int64_t doubles, int64_t slots, const int64_t *low_row,
                 const int64_t *high_row, int64_t ranges, double *restrict out, int64_t fields,
                 int64_t block) {
    int64_t i = 0, step = doubles * slots;
    for (int64_t r = 0; r < ranges; r++)
        for (int64_t row = low_row[r]; row < high_row[r]; row++, i++) {
            double *line = &lines[row * step];
            __builtin_prefetch(line + AHEAD * step, 1, 3);
            for (int64_t f = 0; f < fields; f++)
                out[f * block + i] = line[f & (doubles - 1)];
            line[0] = 0.0;
        }
}

/* latch.advance with nothing due: one look at each row. */
void floor_advance(const int64_t *due_ns, const int64_t *start_row, const int64_t *stop_row,
                   int64_t *due_count, int64_t horizon_ns, int64_t ranges) {
    for (int64_t q = 0; q < ranges; q++)
        for (int64_t row = start_row[q]; row < stop_row[q]; row++)
            due_count[q] += due_ns[row] < horizon_ns;
}

/* Rows that a block of judging holds, as in kernels/zones.py. */
#define BLOCK 4096

/* vm.weigh, plain conditions: three columns of a rule against a bound each, block by block. */
void floor_conditions(const float *columns, int64_t rows, const int64_t *column_of,
                      const float *bound_of, int64_t rules, uint8_t *out) {
    for (int64_t start = 0; start < rows; start += BLOCK) {
        int64_t n = rows - start < BLOCK ? rows - start : BLOCK;
        for (int64_t r = 0; r < rules; r++) {
            const float *a = columns + column_of[3 * r] * rows + start;
            const float *b = columns + column_of[3 * r + 1] * rows + start;
            const float *c = columns + column_of[3 * r + 2] * rows + start;
            float low = bound_of[3 * r], mid = bound_of[3 * r + 1], high = bound_of[3 * r + 2];
            for (int64_t i = 0; i < n; i++)
                out[i] = (a[i] > low) & (b[i] > mid) & (c[i] > high);
        }
    }
}

/* vm.weigh where all is quiet: the bounds of each column, block by block. */
void floor_bounds(const float *columns, int64_t rows, int64_t count, float *bounds) {
    for (int64_t start = 0; start < rows; start += BLOCK) {
        int64_t n = rows - start < BLOCK ? rows - start : BLOCK;
        for (int64_t c = 0; c < count; c++) {
            const float *x = columns + c * rows + start;
            float low[16], high[16];
            for (int64_t j = 0; j < 16; j++)
                low[j] = high[j] = x[0];
            for (int64_t i = 0; i + 16 <= n; i += 16)
                for (int64_t j = 0; j < 16; j++) {
                    low[j] = x[i + j] < low[j] ? x[i + j] : low[j];
                    high[j] = x[i + j] > high[j] ? x[i + j] : high[j];
                }
            for (int64_t j = 0; j < 16; j++)
                bounds[j] = low[j] + high[j];
        }
    }
}

/* vm.weigh and sweep.apply_blocks: four grades with hysteresis and one hold, for every row, with
 * 6 bytes of state a row and rule. It keeps no timer of its own per grade, knows nothing unknown
 * and says nothing. */
void floor_grades(const float *columns, int64_t rows, const int64_t *column_of, const float *enter,
                  const float *leave, int64_t rules, int32_t now, int32_t hold, uint8_t *wish,
                  uint8_t *grade, int32_t *since) {
    for (int64_t start = 0; start < rows; start += BLOCK) {
        int64_t n = rows - start < BLOCK ? rows - start : BLOCK;
        for (int64_t r = 0; r < rules; r++) {
            const float *x = columns + column_of[r] * rows + start;
            uint8_t *w = wish + r * rows + start, *g = grade + r * rows + start;
            int32_t *s = since + r * rows + start;
            for (int64_t i = 0; i < n; i++) {
                uint8_t up = 0, down = 0;
                for (int64_t k = 0; k < 4; k++) {
                    up += x[i] >= enter[k];
                    down += x[i] >= leave[k];
                }
                uint8_t kept = g[i] < down ? g[i] : down;
                uint8_t next = up > kept ? up : kept;
                s[i] = next == w[i] ? s[i] : now;
                w[i] = next;
                g[i] = now - s[i] >= hold ? next : g[i];
            }
        }
    }
}

/* Statistics of windows that follow each other: read two columns, write one number a window. */
void floor_spans(const double *since_s, const double *value, const int64_t *start, double *out,
                 int64_t windows) {
    for (int64_t w = 0; w < windows; w++) {
        double sum = 0.0;
        for (int64_t i = start[w]; i < start[w + 1]; i++)
            sum += since_s[i] + value[i];
        out[w] = sum;
    }
}
