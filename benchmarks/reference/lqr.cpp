// Value and gradient of h, one gradient shot, in C++: what a compiler makes of the same arithmetic.
//
// Starts are laid out in the lanes of a vector register, so that every operation on a matrix entry is
// one instruction for LANES starts and transposing costs nothing. Closed forms for n <= 2, doubling
// otherwise, as in the library; the powers of a closed loop are computed once and shared by the four
// equations that need them. One thread.
//
// The arithmetic is a template over the number type, so that the same source, run on a type that
// counts, says how many operations a start and a task need.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <ctime>
#include <limits>
#include <memory>
#include <vector>

namespace {

#if defined(__AVX512F__)
constexpr int LANES = 8;
constexpr int ROWS = 4;  // rows of a register tile: 32 registers
#elif defined(__AVX__)
constexpr int LANES = 4;
constexpr int ROWS = 2;  // 16 registers
#else
constexpr int LANES = 2;
constexpr int ROWS = 2;
#endif
constexpr int COLUMNS = 4;
constexpr int MOST_POWERS = 64;
constexpr double DECAYED = 1e-9 * 1e-9;    // of a squared norm: the next term is below rounding
constexpr double DIVERGED = 1e100 * 1e100;

typedef double Lanes __attribute__((vector_size(LANES * sizeof(double))));
typedef int64_t Mask __attribute__((vector_size(LANES * sizeof(double))));

// --- a number that counts ----------------------------------------------------------------------

struct Count {
    int64_t additions = 0, products = 0, quotients = 0;
} counted;

struct Counting {
    double x;
    Counting() = default;
    Counting(double x) : x(x) {}
};
inline Counting operator+(Counting a, Counting b) { ++counted.additions; return a.x + b.x; }
inline Counting operator-(Counting a, Counting b) { ++counted.additions; return a.x - b.x; }
inline Counting operator*(Counting a, Counting b) { ++counted.products; return a.x * b.x; }
inline Counting operator/(Counting a, Counting b) { ++counted.quotients; return a.x / b.x; }
inline Counting operator-(Counting a) { return -a.x; }
inline Counting& operator+=(Counting& a, Counting b) { return a = a + b; }
inline bool operator<(Counting a, Counting b) { return a.x < b.x; }

// --- lanes -----------------------------------------------------------------------------------

template <class V> struct Traits;
template <> struct Traits<Lanes> {
    static constexpr int width = LANES;
    typedef Mask Flag;
    static Lanes fill(double x) { return Lanes{} + x; }
    static double get(const Lanes& v, int lane) { return v[lane]; }
    static void set(Lanes& v, int lane, double x) { v[lane] = x; }
    static Flag all_true() { return Mask{} == Mask{}; }
    static Lanes choose(Flag f, Lanes a, Lanes b) { return f ? a : b; }
    static bool any(Flag f) {
        int64_t seen = 0;
        for (int i = 0; i < LANES; ++i) seen |= f[i];
        return seen != 0;
    }
    static bool on(Flag f, int lane) { return f[lane] != 0; }
};
template <> struct Traits<Counting> {
    static constexpr int width = 1;
    typedef bool Flag;
    static Counting fill(double x) { return x; }
    static double get(const Counting& v, int) { return v.x; }
    static void set(Counting& v, int, double x) { v.x = x; }
    static Flag all_true() { return true; }
    static Counting choose(Flag f, Counting a, Counting b) { return f ? a : b; }
    static bool any(Flag f) { return f; }
    static bool on(Flag f, int) { return f; }
};

inline Lanes magnitude(Lanes v) { return v < 0 ? -v : v; }
inline Counting magnitude(Counting v) { return std::fabs(v.x); }

// A number of a task is the same in all lanes.
template <class V> inline V entry(double x) { return Traits<V>::fill(x); }
template <class V> inline V entry(V x) { return x; }

// --- products --------------------------------------------------------------------------------

enum Into { SET, ADD, SUBTRACT };

constexpr int tile(int size, int most) {
    while (size % most) most /= 2;
    return most;
}

// Z (I x J) = X Y, with X read as X' if TX and Y as Y' if TY. Row-major, one register tile at a time.
template <class V, int I, int K, int J, bool TX = false, bool TY = false, Into into = SET, class X, class Y>
inline __attribute__((always_inline)) void product(const X* x, const Y* y, V* z) {
    constexpr int TI = tile(I, ROWS), TJ = tile(J, COLUMNS);
    for (int i = 0; i < I; i += TI)
        for (int j = 0; j < J; j += TJ) {
            V sum[TI][TJ];
#pragma GCC unroll 4
            for (int r = 0; r < TI; ++r)
#pragma GCC unroll 4
                for (int c = 0; c < TJ; ++c) {
                    const V a = entry<V>(TX ? x[i + r] : x[(i + r) * K]);
                    const V b = entry<V>(TY ? y[(j + c) * K] : y[j + c]);
                    sum[r][c] = a * b;
                }
            for (int k = 1; k < K; ++k)
#pragma GCC unroll 4
                for (int r = 0; r < TI; ++r)
#pragma GCC unroll 4
                    for (int c = 0; c < TJ; ++c) {
                        const V a = entry<V>(TX ? x[k * I + i + r] : x[(i + r) * K + k]);
                        const V b = entry<V>(TY ? y[(j + c) * K + k] : y[k * J + j + c]);
                        sum[r][c] += a * b;
                    }
#pragma GCC unroll 4
            for (int r = 0; r < TI; ++r)
#pragma GCC unroll 4
                for (int c = 0; c < TJ; ++c) {
                    V& to = z[(i + r) * J + j + c];
                    to = into == SET ? sum[r][c] : into == ADD ? to + sum[r][c] : to - sum[r][c];
                }
        }
}

// --- X = L X L' + S and X = L' X L + S, in place of S, for symmetric S -------------------------

template <class V, int N> struct Equation {
    std::unique_ptr<V[]> powers{new V[(MOST_POWERS + 1) * N * N]};
    V scratch[N * N];
    int steps = 0;

    // The powers of L, and in which lanes they decay.
    typename Traits<V>::Flag prepare(const V* L) {
        auto alive = Traits<V>::all_true();
        V* power = powers.get();
        for (int e = 0; e < N * N; ++e) power[e] = L[e];
        for (steps = 0; steps < MOST_POWERS; ++steps) {
            V norm = Traits<V>::fill(0);
            for (int e = 0; e < N * N; ++e) norm += power[e] * power[e];
            const auto bounded = norm < Traits<V>::fill(DIVERGED);  // false for a NaN as well
            alive = alive & bounded;
            if (Traits<V>::any(!bounded))
                for (int e = 0; e < N * N; ++e)
                    power[e] = Traits<V>::choose(bounded, power[e], Traits<V>::fill(0));
            const auto going = Traits<V>::fill(DECAYED) < norm;
            if (!Traits<V>::any(alive & going)) return alive;
            product<V, N, N, N>(power, power, power + N * N);
            power += N * N;
        }
        return alive & (Traits<V>::fill(1) < Traits<V>::fill(0));
    }

    template <bool transposed> void solve(V* X) {
        for (int k = 0; k < steps; ++k) {
            const V* L = powers.get() + k * N * N;
            product<V, N, N, N, transposed, false>(L, X, scratch);
            product<V, N, N, N, false, !transposed, ADD>(scratch, L, X);
        }
    }
};

template <class V> struct Equation<V, 1> {
    V inverse;
    typename Traits<V>::Flag prepare(const V* L) {
        inverse = Traits<V>::fill(1) / (Traits<V>::fill(1) - L[0] * L[0]);
        return magnitude(L[0]) < Traits<V>::fill(1);
    }
    template <bool> void solve(V* X) { X[0] = X[0] * inverse; }
};

// Cayley-Hamilton on both sides of the series; t and d are the trace and determinant of L.
template <class V> struct Equation<V, 2> {
    const V* L;
    V onS, onLSL, onLS;
    typename Traits<V>::Flag prepare(const V* loop) {
        L = loop;
        const V one = Traits<V>::fill(1);
        const V t = L[0] + L[3], d = L[0] * L[3] - L[1] * L[2];
        const V up = one + d, down = one - d;
        const V inverse = one / (down * (up - t) * (up + t));
        onS = (up - t * t * down) * inverse;
        onLSL = up * inverse;
        onLS = t * d * inverse;
        return (magnitude(d) < one) & (magnitude(t) < up);
    }
    template <bool transposed> void solve(V* X) {
        const V a = L[0], b = transposed ? L[2] : L[1], c = transposed ? L[1] : L[2], e = L[3];
        const V x = X[0], y = X[1], z = X[3];
        const V p = a * x + b * y, q = a * y + b * z, r = c * x + e * y, s = c * y + e * z;  // L S
        X[0] = onS * x + onLSL * (p * a + q * b) - onLS * (p + p);
        X[1] = X[2] = onS * y + onLSL * (p * c + q * e) - onLS * (q + r);
        X[3] = onS * z + onLSL * (r * c + s * e) - onLS * (s + s);
    }
};

// --- one closed loop ---------------------------------------------------------------------------

struct Plants {
    const double *A, *B, *Q, *R, *S0;
};

template <class V, int N, int M> struct Loop {
    Equation<V, N> equation;
    V L[N * N], P[N * N], Sigma[N * N], RW[M * N], BP[M * N], G[M * N];

    typename Traits<V>::Flag at(const Plants& p, const V* W) {
        for (int e = 0; e < N * N; ++e) L[e] = entry<V>(p.A[e]);
        product<V, N, M, N, false, false, SUBTRACT>(p.B, W, L);
        const auto stable = equation.prepare(L);
        for (int e = 0; e < N * N; ++e) P[e] = entry<V>(p.Q[e]);
        product<V, M, M, N>(p.R, W, RW);
        product<V, N, M, N, true, false, ADD>(W, RW, P);
        equation.template solve<true>(P);
        for (int e = 0; e < N * N; ++e) Sigma[e] = entry<V>(p.S0[e]);
        equation.template solve<false>(Sigma);
        product<V, M, N, N, true, false>(p.B, P, BP);
        for (int e = 0; e < M * N; ++e) G[e] = RW[e];
        product<V, M, N, N, false, false, SUBTRACT>(BP, L, G);
        return stable;
    }

    void gradient(V* out) {
        product<V, M, N, N>(G, Sigma, out);
        for (int e = 0; e < M * N; ++e) out[e] = out[e] + out[e];
    }

    // out = v - eta Hessian[v]
    void pull(const Plants& p, double eta, const V* v, V* out) {
        V dP[N * N], dSigma[N * N], half[N * N], moved[N * N], MM[M * M], dG[M * N], BdP[M * N], H[M * N];
        product<V, N, M, N, true, false>(v, G, half);
        for (int i = 0; i < N; ++i)
            for (int j = 0; j < N; ++j) dP[i * N + j] = half[i * N + j] + half[j * N + i];
        equation.template solve<true>(dP);
        product<V, M, N, N>(v, Sigma, H);
        product<V, N, M, N>(p.B, H, half);
        product<V, N, N, N, false, true>(half, L, moved);
        for (int i = 0; i < N; ++i)
            for (int j = 0; j < N; ++j) dSigma[i * N + j] = -(moved[i * N + j] + moved[j * N + i]);
        equation.template solve<false>(dSigma);
        for (int e = 0; e < M * M; ++e) MM[e] = entry<V>(p.R[e]);
        product<V, M, N, M, false, false, ADD>(BP, p.B, MM);
        product<V, M, M, N>(MM, v, dG);
        product<V, M, N, N, true, false>(p.B, dP, BdP);
        product<V, M, N, N, false, false, SUBTRACT>(BdP, L, dG);
        product<V, M, N, N>(dG, Sigma, H);
        product<V, M, N, N, false, false, ADD>(G, dSigma, H);
        const V twice = entry<V>(2 * eta);
        for (int e = 0; e < M * N; ++e) out[e] = v[e] - twice * H[e];
    }
};

// --- all starts, all tasks -----------------------------------------------------------------------

template <class V, int N, int M>
void evaluate(int64_t tasks, const double* A, const double* B, const double* Q, const double* R,
              const double* S0, const double* weights, double eta, int64_t starts, const double* gains,
              double* values, double* gradients) {
    typedef Traits<V> T;
    constexpr int width = T::width;
    // On the heap: at n = 32 a loop is larger than a stack likes.
    auto first = std::make_unique<Loop<V, N, M>>(), second = std::make_unique<Loop<V, N, M>>();
    for (int64_t start = 0; start < starts; start += width) {
        V W[M * N], step[M * N], v[M * N], out[M * N], total[M * N], value = T::fill(0);
        for (int lane = 0; lane < width; ++lane) {
            const int64_t from = std::min(start + lane, starts - 1);
            for (int e = 0; e < M * N; ++e) T::set(W[e], lane, gains[from * M * N + e]);
        }
        for (int e = 0; e < M * N; ++e) total[e] = T::fill(0);
        auto feasible = T::all_true();
        for (int64_t t = 0; t < tasks; ++t) {
            const Plants p{A + t * N * N, B + t * N * M, Q + t * N * N, R + t * M * M, S0 + t * N * N};
            feasible = feasible & first->at(p, W);
            first->gradient(step);
            for (int e = 0; e < M * N; ++e) step[e] = W[e] - entry<V>(eta) * step[e];
            feasible = feasible & second->at(p, step);
            if (!T::any(feasible)) break;
            V cost = T::fill(0);
            for (int e = 0; e < N * N; ++e) cost += second->P[e] * entry<V>(p.S0[e]);
            value += entry<V>(weights[t]) * cost;
            second->gradient(v);
            first->pull(p, eta, v, out);
            for (int e = 0; e < M * N; ++e) total[e] += entry<V>(weights[t]) * out[e];
        }
        for (int lane = 0; lane < width && start + lane < starts; ++lane) {
            const bool fine = T::on(feasible, lane);
            values[start + lane] = fine ? T::get(value, lane) : std::numeric_limits<double>::infinity();
            for (int e = 0; e < M * N; ++e)
                gradients[(start + lane) * M * N + e] = fine ? T::get(total[e], lane) : 0.0;
        }
    }
}

#define SIZES(DO) DO(1, 1) DO(2, 1) DO(3, 1) DO(4, 2) DO(8, 4) DO(16, 4) DO(32, 8)

template <class V, class... Arguments> int dispatch(int n, int m, Arguments... arguments) {
#define CASE(N, M)                         \
    if (n == N && m == M) {                \
        evaluate<V, N, M>(arguments...);   \
        return 0;                          \
    }
    SIZES(CASE)
#undef CASE
    return 1;
}

// Of the processor, not of the clock: other processes may want the core too.
double seconds_since(std::clock_t start) { return double(std::clock() - start) / CLOCKS_PER_SEC; }

}  // namespace

extern "C" {

int lanes() { return LANES; }

// 0, or 1 where (n, m) was not compiled.
int value_and_gradient(int n, int m, int64_t tasks, const double* A, const double* B, const double* Q,
                       const double* R, const double* S0, const double* weights, double eta, int64_t starts,
                       const double* gains, double* values, double* gradients) {
    return dispatch<Lanes>(n, m, tasks, A, B, Q, R, S0, weights, eta, starts, gains, values, gradients);
}

// The same on counting numbers; counts = additions, products, quotients over all starts and tasks.
int count_operations(int n, int m, int64_t tasks, const double* A, const double* B, const double* Q,
                     const double* R, const double* S0, const double* weights, double eta, int64_t starts,
                     const double* gains, double* values, double* gradients, int64_t* counts) {
    counted = Count{};
    const int missing =
        dispatch<Counting>(n, m, tasks, A, B, Q, R, S0, weights, eta, starts, gains, values, gradients);
    counts[0] = counted.additions;
    counts[1] = counted.products;
    counts[2] = counted.quotients;
    return missing;
}

// Operations per second of twelve independent chains of fused multiply-adds: the peak of one core.
double peak_flops(int64_t rounds, double* sink) {
    Lanes chain[12];
    for (int c = 0; c < 12; ++c) chain[c] = Lanes{} + (1.0 + c);
    Lanes factor = Lanes{} + sink[0], term = Lanes{} + sink[1];
    const auto start = std::clock();
    for (int64_t r = 0; r < rounds; ++r)
#pragma GCC unroll 12
        for (int c = 0; c < 12; ++c) chain[c] = chain[c] * factor + term;
    const double elapsed = seconds_since(start);
    Lanes sum{};
    for (int c = 0; c < 12; ++c) sum += chain[c];
    for (int i = 0; i < LANES; ++i) sink[2] += sum[i];
    return 2.0 * 12 * LANES * rounds / elapsed;
}

// Quotients per second of eight independent chains.
double peak_quotients(int64_t rounds, double* sink) {
    Lanes chain[8];
    for (int c = 0; c < 8; ++c) chain[c] = Lanes{} + (1.0 + c);
    Lanes top = Lanes{} + sink[0];
    const auto start = std::clock();
    for (int64_t r = 0; r < rounds; ++r)
#pragma GCC unroll 8
        for (int c = 0; c < 8; ++c) chain[c] = top / chain[c];
    const double elapsed = seconds_since(start);
    Lanes sum{};
    for (int c = 0; c < 8; ++c) sum += chain[c];
    for (int i = 0; i < LANES; ++i) sink[2] += sum[i];
    return 1.0 * 8 * LANES * rounds / elapsed;
}
}
