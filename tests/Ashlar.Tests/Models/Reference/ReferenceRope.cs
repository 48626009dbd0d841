namespace Ashlar.Tests.Models.Reference;

/// <summary>Rotary positions: Su et al. 2021, arXiv:2104.09864, and the ways in which models stretch them.</summary>
/// <param name="Frequencies">Radians per place of each pair; numbers of a head beyond the pairs are not turned.</param>
/// <param name="Interleaved">Pairs are neighbours; else a pair is a number and the one half of the turned width later.</param>
/// <param name="Factor">What turned numbers are multiplied by.</param>
sealed record ReferenceRope(double[] Frequencies, bool Interleaved = false, double Factor = 1)
{
    public static double[] Plain(int width, double theta)
    {
        var frequencies = new double[width / 2];
        for (int i = 0; i < frequencies.Length; i++) frequencies[i] = Math.Pow(theta, -2.0 * i / width);
        return frequencies;
    }

    /// <summary>Llama 3.1: long waves are slowed by a factor, short ones kept, those between mixed (apply_scaling of the
    /// published code).</summary>
    public static double[] Llama3(double[] plain, double factor, double low, double high, double context)
    {
        var frequencies = new double[plain.Length];
        for (int i = 0; i < plain.Length; i++)
        {
            double wave = 2 * Math.PI / plain[i];
            if (wave < context / high) frequencies[i] = plain[i];
            else if (wave > context / low) frequencies[i] = plain[i] / factor;
            else
            {
                double smooth = (context / wave - low) / (high - low);
                frequencies[i] = (1 - smooth) * plain[i] / factor + smooth * plain[i];
            }
        }
        return frequencies;
    }

    /// <summary>YaRN: Peng et al. 2023, arXiv:2309.00071, section 3.2; pairs that turn less than <paramref name="slow"/> times
    /// within the context are slowed, those that turn more than <paramref name="fast"/> times kept.</summary>
    public static double[] Yarn(int width, double theta, double factor, double context, double fast, double slow, bool truncate)
    {
        double[] plain = Plain(width, theta);
        double PairThatTurns(double times) => width * Math.Log(context / (times * 2 * Math.PI)) / (2 * Math.Log(theta));
        double first = PairThatTurns(fast), last = PairThatTurns(slow);
        if (truncate) (first, last) = (Math.Floor(first), Math.Ceiling(last));
        (first, last) = (Math.Max(first, 0), Math.Min(last, width - 1));
        if (first == last) last += 0.001;
        var frequencies = new double[plain.Length];
        for (int i = 0; i < plain.Length; i++)
        {
            double slowed = Math.Clamp((i - first) / (last - first), 0, 1);
            frequencies[i] = slowed * plain[i] / factor + (1 - slowed) * plain[i];
        }
        return frequencies;
    }

    /// <summary>YaRN's temperature of attention, as a factor of queries and keys: equation 22 with the paper's 0.1.</summary>
    public static double YarnFactor(double factor, double strength = 1) =>
        factor <= 1 ? 1 : 0.1 * strength * Math.Log(factor) + 1;

    /// <summary>LongRoPE: Ding et al. 2024, arXiv:2402.13753: a divisor per pair.</summary>
    public static double[] Divided(double[] plain, double[] divisors)
    {
        Assert.Equal(plain.Length, divisors.Length);
        return [.. plain.Select((frequency, i) => frequency / divisors[i])];
    }

    /// <summary>As the keys <c>rope_theta</c> and <c>rope_scaling</c> of a Hugging Face config say.</summary>
    /// <param name="config">The config.</param>
    /// <param name="width">How many numbers of a head are turned.</param>
    /// <param name="interleaved">The pairing.</param>
    public static ReferenceRope Of(ReferenceConfig config, int width, bool interleaved = false)
    {
        double theta = config.Number("rope_theta", 10000);
        double[] plain = Plain(width, theta);
        if (config.Part("rope_scaling") is not { } scaling) return new(plain, interleaved);
        string kind = scaling.Text("rope_type", scaling.Text("type", "default"));
        double factor = scaling.Number("factor", 1);
        return kind switch
        {
            "default" => new(plain, interleaved),
            "linear" => new([.. plain.Select(frequency => frequency / factor)], interleaved),
            "llama3" => new(Llama3(plain, factor, scaling.Number("low_freq_factor"), scaling.Number("high_freq_factor"),
                scaling.Number("original_max_position_embeddings")), interleaved),
            "yarn" => new(Yarn(width, theta, factor, scaling.Number("original_max_position_embeddings"),
                scaling.Number("beta_fast", 32), scaling.Number("beta_slow", 1), scaling.Flag("truncate", true)), interleaved,
                scaling.Has("attention_factor") ? scaling.Number("attention_factor") : YarnFactor(factor)),
            _ => throw new NotSupportedException($"the reference knows no rope_type '{kind}'"),
        };
    }

    /// <summary>Turns every head of every row, each by its place in the text.</summary>
    public double[][] Turn(double[][] rows, int heads) => [.. rows.Select((row, place) => Turn(row, heads, place))];

    /// <summary>Turns every head of a row.</summary>
    public double[] Turn(double[] row, int heads, int place)
    {
        int width = row.Length / heads;
        var turned = (double[])row.Clone();
        for (int h = 0; h < heads; h++)
            for (int i = 0; i < Frequencies.Length; i++)
            {
                int first = h * width + (Interleaved ? 2 * i : i);
                int second = Interleaved ? first + 1 : first + Frequencies.Length;
                double angle = place * Frequencies[i], cos = Math.Cos(angle) * Factor, sin = Math.Sin(angle) * Factor;
                turned[first] = row[first] * cos - row[second] * sin;
                turned[second] = row[second] * cos + row[first] * sin;
            }
        return turned;
    }
}
