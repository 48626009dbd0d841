using Ashlar.Backends.Cpu;
using Ashlar.Runtime;

namespace Ashlar.Tests.Tensors;

/// <summary>A class of tests that run on one device. Each subject is an abstract class; a sealed one per backend runs
/// it.</summary>
public abstract class DeviceTests : IDisposable
{
    readonly Device.Selection selection;

    protected DeviceTests(Device device)
    {
        Device = device;
        selection = device.Select();
    }

    protected Device Device { get; }

    /// <summary>Tolerance of float32 results of a few operations.</summary>
    protected const double Near = 2e-6;

    public void Dispose()
    {
        selection.Dispose();
        GC.SuppressFinalize(this);
    }

    /// <summary>The elements of a tensor of any type.</summary>
    protected static double[] Numbers(Tensor x) =>
        x.DType == DType.Float64 ? x.ToArray<double>() : x.Cast(DType.Float64).ToArray<double>();

    /// <summary>Checks type, shape and elements; the tolerance is relative beyond 1.</summary>
    protected static void Same(Tensor actual, string type, params double[] expected) => Close(actual, type, Near, expected);

    protected static void Close(Tensor actual, string type, double tolerance, params double[] expected)
    {
        Assert.Equal(type, actual.Type);
        var found = Numbers(actual);
        Assert.Equal(expected.Length, found.Length);
        for (int i = 0; i < expected.Length; i++)
        {
            if (expected[i].Equals(found[i])) continue;
            Assert.True(Math.Abs(expected[i] - found[i]) <= tolerance * Math.Max(1, Math.Abs(expected[i])),
                $"element {i} of {type} is {found[i]:R}, not {expected[i]:R}:\n{actual}");
        }
    }

    protected static void Close(Tensor actual, Tensor expected, double tolerance = 1e-5) =>
        Close(actual, expected.Type, tolerance, Numbers(expected));

    /// <summary>The error that <paramref name="f"/> makes; its message must hold all of <paramref name="words"/>.</summary>
    protected static T Fails<T>(Action f, string code, params string[] words) where T : AshlarException
    {
        var error = Assert.Throws<T>(f);
        Assert.Equal(code, error.Code);
        Assert.Contains("Fix: ", error.Message, StringComparison.Ordinal);
        foreach (string word in words) Assert.Contains(word, error.Message, StringComparison.Ordinal);
        return error;
    }

    /// <summary>Compares the gradient of a function with its directional finite difference, in float64.</summary>
    protected static void CheckGradient(Func<Tensor, Tensor> f, Tensor x, double tolerance = 1e-6)
    {
        x = x.Cast(DType.Float64).Detach();
        var seed = Tensor.RandomNormal(101, f(x).Shape, DType.Float64);
        var direction = Tensor.RandomNormal(102, x.Shape, DType.Float64);
        Tensor Loss(Tensor at) => (f(at) * seed).Sum();
        const double Step = 1e-5;
        double slope = (Loss(x + direction * Step).Item<double>() - Loss(x - direction * Step).Item<double>()) / (2 * Step);
        double exact = (Loss(x).Gradient(x) * direction).Sum().Item<double>();
        Assert.True(Math.Abs(slope - exact) <= tolerance * Math.Max(1, Math.Abs(slope)),
            $"the gradient along the direction is {exact:R}, the difference quotient {slope:R}");
    }
}

/// <summary>The devices that tests run on.</summary>
static class Devices
{
    public static Device Reference { get; } = new(new ReferenceBackend());

    /// <summary>The processor, on the path that the environment or the machine chooses.</summary>
    public static Device Cpu { get; } = new(new CpuBackend());
}
