using Ashlar.Graph;

namespace Ashlar.Tests.Graph;

/// <summary>Arrays for tests, and how they are compared.</summary>
static class Arrays
{
    public static Value Of(long[] extents, params double[] data) => new(data, extents);

    public static Value Row(params double[] data) => new(data, [data.Length]);

    public static Value Random(Random random, long[] extents, double low = -1, double high = 1)
    {
        var value = Value.Zeros(extents);
        for (int i = 0; i < value.Data.Length; i++) value.Data[i] = low + (high - low) * random.NextDouble();
        return value;
    }

    public static Value Random(Random random, Node like) => like.DType switch
    {
        DType.Bool => Round(Random(random, like.Shape.Values, 0, 2), Math.Floor),
        DType.UInt8 => Round(Random(random, like.Shape.Values, 0, 9), Math.Floor),
        { IsFloat: false } => Round(Random(random, like.Shape.Values, -5, 5), Math.Floor),
        _ => Round(Random(random, like.Shape.Values, -2, 2), x => Conversion.Round(x, like.DType)),
    };

    static Value Round(Value value, Func<double, double> round) =>
        new(Array.ConvertAll(value.Data, x => round(x)), value.Extents);

    public static double Dot(IEnumerable<Value> a, IEnumerable<Value> b) =>
        a.Zip(b, (x, y) => x.Data.Zip(y.Data, (u, v) => u * v).Sum()).Sum();

    /// <summary>Fails unless all elements agree to within a share of their size (or of 1); NaN agrees with NaN.</summary>
    public static void AssertClose(Value expected, Value actual, double tolerance, string what = "")
    {
        Assert.Equal(expected.Extents, actual.Extents);
        for (int i = 0; i < expected.Data.Length; i++)
            if (!IsClose(expected.Data[i], actual.Data[i], tolerance))
                Assert.Fail($"{what}: element {i} of [{string.Join(", ", expected.Extents)}] "
                    + $"should be {expected.Data[i]:R}, but is {actual.Data[i]:R}");
    }

    public static bool AreClose(Value expected, Value actual, double tolerance) =>
        expected.Extents.SequenceEqual(actual.Extents)
            && expected.Data.Zip(actual.Data).All(pair => IsClose(pair.First, pair.Second, tolerance));

    static bool IsClose(double expected, double actual, double tolerance) =>
        expected.Equals(actual) || expected == actual
            || Math.Abs(expected - actual) <= tolerance * Math.Max(1, Math.Abs(expected));
}
