using System.Globalization;
using System.Text;

namespace Ashlar.NN;

/// <summary>How a parameter begins: a distribution, or a number.</summary>
/// <remarks>
/// Random values are counted, not drawn in turn: they depend on the seed of the weights and the parameter's full name alone, not
/// on which parameters were made before. The key made of both has 32 bits.
/// </remarks>
public sealed class Initial
{
    readonly Func<Shape, DType, Func<Tensor>, Tensor> make;
    readonly string text;

    Initial(string text, Func<Shape, DType, Func<Tensor>, Tensor> make) => (this.text, this.make) = (text, make);

    /// <summary>All 0.</summary>
    public static Initial Zeros { get; } = Constant(0);

    /// <summary>All 1.</summary>
    public static Initial Ones { get; } = Constant(1);

    /// <summary>One number everywhere.</summary>
    // Data, not a constant of the graph: equal constants are one node, and then two parameters would share their gradient.
    public static Initial Constant(double value) =>
        new(string.Create(CultureInfo.InvariantCulture, $"constant {value}"),
            (shape, dtype, _) => Tensor.Full(shape, Tensor.Of(value), dtype));

    /// <summary>Normally distributed.</summary>
    /// <param name="deviation">The standard deviation.</param>
    /// <param name="mean">The mean.</param>
    public static Initial Normal(double deviation, double mean = 0) =>
        new(string.Create(CultureInfo.InvariantCulture, $"normal {deviation}"), (shape, dtype, key) =>
        {
            var scaled = Tensor.RandomNormal(Seed, shape, Wide(dtype), key()) * deviation;
            return (mean == 0 ? scaled : scaled + mean).Cast(dtype);
        });

    /// <summary>Uniform from <c>-bound</c> to below <c>bound</c>.</summary>
    public static Initial Uniform(double bound) =>
        new(string.Create(CultureInfo.InvariantCulture, $"uniform {bound}"),
            (shape, dtype, key) => (Tensor.Random(Seed, shape, Wide(dtype), key()) * (2 * bound) - bound).Cast(dtype));

    /// <summary>Normal, of deviation <c>gain / sqrt(inputs)</c>: the variance of activations stays through a layer.</summary>
    /// <param name="inputs">How many inputs are summed into one output.</param>
    /// <param name="gain">sqrt(2) for ReLU, 1 for linear layers.</param>
    /// <remarks>Source: He et al. 2015, arXiv:1502.01852.</remarks>
    public static Initial Kaiming(long inputs, double gain = 1.4142135623730951) => Normal(gain / Math.Sqrt(inputs));

    /// <summary>Uniform within <c>gain * sqrt(6 / (inputs + outputs))</c>: activations and gradients keep their
    /// variance.</summary>
    /// <param name="inputs">How many inputs are summed into one output.</param>
    /// <param name="outputs">How many outputs one input goes to.</param>
    /// <param name="gain">1 for linear layers and tanh.</param>
    /// <remarks>Source: Glorot and Bengio 2010, "Understanding the difficulty of training deep feedforward neural
    /// networks".</remarks>
    public static Initial Xavier(long inputs, long outputs, double gain = 1) =>
        Uniform(gain * Math.Sqrt(6.0 / (inputs + outputs)));

    // One constant for all: the key is data, so parameters of one shape share their program whatever the seed.
    const long Seed = 0;

    /// <summary>The value of a parameter.</summary>
    /// <param name="shape">Its extents.</param>
    /// <param name="dtype">Its element type; random numbers are made in float32 at least, and rounded once.</param>
    /// <param name="seed">The seed of the weights.</param>
    /// <param name="name">Its full name.</param>
    public Tensor Make(Shape shape, DType dtype, long seed, string name) => make(shape, dtype, () => Tensor.Of(Key(seed, name)));

    /// <inheritdoc/>
    public override string ToString() => text;

    // FNV-1a over the bytes of the name, then the finaliser of MurmurHash3 over that and the seed.
    static int Key(long seed, string name)
    {
        ulong hash = 14695981039346656037;
        foreach (byte part in Encoding.UTF8.GetBytes(name)) hash = (hash ^ part) * 1099511628211;
        hash ^= (ulong)seed * 0x9e3779b97f4a7c15;
        hash = (hash ^ hash >> 33) * 0xff51afd7ed558ccd;
        hash = (hash ^ hash >> 33) * 0xc4ceb9fe1a85ec53;
        return (int)(hash >> 32);
    }

    static DType Wide(DType dtype) => dtype == DType.Float64 ? DType.Float64 : DType.Float32;
}
