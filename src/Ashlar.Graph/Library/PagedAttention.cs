using System.Globalization;
using System.Runtime.InteropServices;

namespace Ashlar.Graph;

/// <summary>Attention of new tokens over a paged cache, which takes up their keys and values first.</summary>
/// <remarks>
/// Inputs: queries f32[T, H, K], keys f32[T, G, K], values f32[T, G, V], the cache u8[pages, G, bytes of a page]
/// (<see cref="PageLayout"/>), the text of each token i32[T], its place in that text i32[T], the pages of each text i32[texts,
/// most pages], and, with sinks, their scores f32[H]. Tokens of one text follow each other in order. Results: f32[T, H, V], and
/// the cache. A token sees itself and the tokens before it in its text; head h reads the keys of head h / (H / G). Paged caches:
/// Kwon et al. 2023, arXiv:2309.06180; the online softmax: Dao et al. 2022, arXiv:2205.14135; sinks: Xiao et al. 2023,
/// arXiv:2309.17453.
/// </remarks>
public sealed class PagedAttention : BackendKernel
{
    /// <summary>The kernel for inputs of these types.</summary>
    /// <exception cref="ShapeException">ASH0171: the shapes do not fit each other.</exception>
    /// <exception cref="DTypeException">ASH0171: an input has another element type.</exception>
    public PagedAttention(DType cache, PagedAttentionOptions options, IReadOnlyList<NodeType> inputs)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(inputs);
        Options = options;
        Inputs = inputs;
        DType[] types =
            [DType.Float32, DType.Float32, DType.Float32, DType.UInt8, DType.Int32, DType.Int32, DType.Int32, DType.Float32];
        int[] ranks = [3, 3, 3, 3, 1, 1, 2, 1];
        int count = options.HasSinks ? 8 : 7;
        bool fits = inputs.Count == count;
        for (int i = 0; i < count && fits; i++) fits = inputs[i].DType == types[i] && inputs[i].Shape.Rank == ranks[i];
        if (fits)
        {
            var (q, k, v, pages) = (inputs[0].Shape, inputs[1].Shape, inputs[2].Shape, inputs[3].Shape);
            fits = q[1].IsConstant && q[2].IsConstant && k[1].IsConstant && v[2].IsConstant && pages.IsConstant && k[1].Value > 0
                && q[0] == k[0] && q[0] == v[0] && q[0] == inputs[4].Shape[0] && q[0] == inputs[5].Shape[0] && k[2] == q[2]
                && k[1] == v[1]
                && q[1].Value % k[1].Value == 0 && pages[1] == k[1] && (!options.HasSinks || inputs[7].Shape[0] == q[1]);
        }
        if (!fits)
            throw new ShapeException("ASH0171",
                $"attention over a paged cache was given {string.Join(", ", inputs.Select(input => input.DType.Name + input.Shape))}.",
                "pass queries f32[T, H, K], keys f32[T, G, K], values f32[T, G, V], cache u8[pages, G, bytes], texts i32[T], places i32[T], "
                + $"tables i32[S, P]{(options.HasSinks ? " and sinks f32[H]" : "")}; G divides H.");
        Layout = new(cache, (int)inputs[0].Shape[2].Value, (int)inputs[2].Shape[2].Value);
        if (inputs[3].Shape[2].Value != Layout.Bytes)
            throw new ShapeException("ASH0171",
                $"a cache of pages of {inputs[3].Shape[2]} bytes was given where keys of {Layout.KeyWidth} and values of {Layout.ValueWidth} "
                + $"numbers in {cache.Name} take {Layout.Bytes}.", "make the cache for the model: PageLayout.Bytes.");
        Outputs = [new(DType.Float32, [inputs[0].Shape[0], inputs[0].Shape[1], inputs[2].Shape[2]]), inputs[3]];
    }

    /// <summary>How a page lies in memory.</summary>
    public PageLayout Layout { get; }

    /// <summary>What it does besides.</summary>
    public PagedAttentionOptions Options { get; }

    /// <summary>Heads of the queries.</summary>
    public int Heads => (int)Inputs[0].Shape[1].Value;

    /// <summary>Heads of keys and values.</summary>
    public int KvHeads => (int)Inputs[1].Shape[1].Value;

    /// <inheritdoc/>
    public override string Name => "paged_attention";

    /// <inheritdoc/>
    public override IReadOnlyList<NodeType> Inputs { get; }

    /// <inheritdoc/>
    public override IReadOnlyList<NodeType> Outputs { get; }

    /// <inheritdoc/>
    public override string Text => string.Create(CultureInfo.InvariantCulture,
        $"library {Name} cache={Layout.DType.Name} scale={Options.Scale:R} window={Options.Window} softcap={Options.Softcap:R} sinks={Options.HasSinks} ")
        + string.Join(' ', Inputs.Select(input => input.DType.Name + input.Shape))
        + string.Concat(Inputs.SelectMany(input => input.Shape).SelectMany(extent => extent.Symbols).Distinct().Order()
            .Select(symbol => $" {symbol.Name}:{symbol.Min}..{symbol.Max}/{symbol.MultipleOf}"));

    /// <inheritdoc/>
    public override bool MayOverwrite(int input, int output) => input == 3 && output == 1;

    /// <inheritdoc/>
    public override GraphKernel Substitute(Func<Symbol, Extent> values) =>
        new PagedAttention(Layout.DType, Options,
            [.. Inputs.Select(input => input with { Shape = input.Shape.Substitute(values) })]);

    /// <inheritdoc/>
    public override Value[] Evaluate(IReadOnlyList<Value> inputs)
    {
        var (q, k, v) = (inputs[0].Data, inputs[1].Data, inputs[2].Data);
        var (texts, places, tables) = (inputs[4].Data, inputs[5].Data, inputs[6]);
        int tokens = (int)inputs[0].Extents[0], group = Heads / KvHeads, kd = Layout.KeyWidth, vd = Layout.ValueWidth;
        double[] cache = [.. inputs[3].Data];
        var result = Value.Zeros([tokens, Heads, vd]);
        for (int t = 0; t < tokens; t++)
            for (int g = 0; g < KvHeads; g++)
            {
                long page = Page(t, (int)places[t], g);
                int slot = (int)places[t] % PageLayout.Tokens;
                Write(page, slot, k.AsSpan((t * KvHeads + g) * kd, kd), Layout.KeyOffset, 0);
                Write(page, slot, v.AsSpan((t * KvHeads + g) * vd, vd), Layout.ValueOffset, 1);
            }
        var known = new Dictionary<(double Text, int Head), (double[][] Keys, double[][] Values)>();   // of each text, by place
        for (int t = 0; t < tokens; t++)
            for (int h = 0; h < Heads; h++)
            {
                int last = (int)places[t], first = Options.Window is { } window ? Math.Max(0, last - window + 1) : 0;
                if (!known.TryGetValue((texts[t], h / group), out var pages))
                    known[(texts[t], h / group)] = pages = Decoded(texts[t], h / group);
                double[] scores = new double[last - first + 1];
                for (int i = 0; i < scores.Length; i++)
                {
                    double[] key = pages.Keys[first + i];
                    for (int d = 0; d < kd; d++) scores[i] += q[(t * Heads + h) * kd + d] * key[d];
                    scores[i] *= Options.Scale;
                    if (Options.Softcap is { } cap) scores[i] = cap * Math.Tanh(scores[i] / cap);
                }
                double sink = Options.HasSinks ? inputs[7].Data[h] : double.NegativeInfinity, most = Math.Max(scores.Max(), sink);
                double total = Math.Exp(sink - most) + scores.Sum(score => Math.Exp(score - most));
                for (int i = 0; i < scores.Length; i++)
                {
                    double weight = Math.Exp(scores[i] - most) / total;
                    for (int d = 0; d < vd; d++) result.Data[(t * Heads + h) * vd + d] += weight * pages.Values[first + i][d];
                }
            }
        return [result, new(cache, inputs[3].Extents)];

        // Keys and values of all places of a text up to its last new token.
        (double[][], double[][]) Decoded(double text, int head)
        {
            int token = Array.LastIndexOf(texts, text), count = (int)places[token] + 1;
            double[] Row(int place, int width, Func<int, int, long> offset, int which) =>
                [.. Enumerable.Range(0, width).Select(d => Read(token, place, head, offset, d, which))];
            return ([.. Enumerable.Range(0, count).Select(place => Row(place, kd, Layout.KeyOffset, 0))],
                [.. Enumerable.Range(0, count).Select(place => Row(place, vd, Layout.ValueOffset, 1))]);
        }

        // The first byte of the page that holds a place of the text of a token.
        long Page(int token, int place, int head)
        {
            long entry = (long)texts[token] * tables.Extents[1] + place / PageLayout.Tokens;
            return ((long)tables.Data[entry] * KvHeads + head) * Layout.Bytes;
        }

        void Write(long page, int slot, ReadOnlySpan<double> numbers, Func<int, int, long> offset, int which)
        {
            float factor = 1;
            if (Layout.HasFactors)
            {
                factor = 0;
                foreach (double number in numbers) factor = Math.Max(factor, (float)Math.Abs(number) / 127);
                Store(page + Layout.FactorOffset + (which * PageLayout.Tokens + slot) * sizeof(float), factor);
            }
            for (int d = 0; d < numbers.Length; d++)
            {
                long at = page + offset(d, slot);
                switch (Layout.DType)
                {
                    case DType.Float32: Store(at, (float)numbers[d]); break;
                    case DType.BFloat16: Store(at, (BFloat16)numbers[d]); break;
                    default: Store(at, (sbyte)(factor == 0 ? 0 : Math.Round(Math.Clamp(numbers[d] / factor, -127, 127)))); break;
                }
            }
        }

        double Read(int token, int place, int head, Func<int, int, long> offset, int d, int which)
        {
            long page = Page(token, place, head), at = page + offset(d, place % PageLayout.Tokens);
            return Layout.DType switch
            {
                DType.Float32 => Load<float>(at),
                DType.BFloat16 => Load<BFloat16>(at),
                _ =>
                    Load<sbyte>(at) * (double)Load<float>(page + Layout.FactorOffset
                        + (which * PageLayout.Tokens + place % PageLayout.Tokens) * sizeof(float)),
            };
        }

        void Store<T>(long at, T value) where T : unmanaged
        {
            var bytes = MemoryMarshal.AsBytes(new ReadOnlySpan<T>(ref value));
            for (int i = 0; i < bytes.Length; i++) cache[at + i] = bytes[i];
        }

        T Load<T>(long at) where T : unmanaged
        {
            T value = default;
            var bytes = MemoryMarshal.AsBytes(new Span<T>(ref value));
            for (int i = 0; i < bytes.Length; i++) bytes[i] = (byte)cache[at + i];
            return value;
        }
    }
}
