using Ashlar.Graph;

namespace Ashlar.Runtime;

/// <summary>Computes nodes: many at once as one program, and remembers where their values lie.</summary>
public static class Realizer
{
    /// <summary>Computes what is not computed yet; afterwards <see cref="Leaf.Find"/> knows every node given.</summary>
    /// <param name="nodes">Nodes of constant shape that depend on buffers and constants alone.</param>
    /// <param name="device">Where to compute; null takes the default, which need not exist where nothing is to be computed.</param>
    /// <exception cref="DeviceException">No device is registered.</exception>
    /// <exception cref="TraceException">A node depends on an argument of a traced function.</exception>
    public static void Realize(IEnumerable<Node> nodes, Device? device = null)
    {
        var roots = nodes.Where(node => Leaf.Find(node) is null).Distinct().ToArray();
        if (roots.Length == 0) return;

        var capture = Capture.Of(roots, [], Leaf.Find);
        device ??= Device.Default;
        var executable = device.Programs.Get(capture.Function);
        var inputs = new Buffer[capture.Buffers.Count];
        var shapes = new Shape[inputs.Length];
        for (int i = 0; i < inputs.Length; i++) (inputs[i], shapes[i]) = (Leaf.BufferOf(capture.Buffers[i]), capture.Buffers[i].Shape);
        var outputs = new Buffer?[roots.Length];
        executable.Run(inputs, shapes, outputs, new Shape[roots.Length]);
        for (int i = 0; i < roots.Length; i++) Leaf.Remember(roots[i], Leaf.Of(outputs[i]!, roots[i].DType, roots[i].Shape));
        GC.KeepAlive(capture);   // its leaves hold the inputs
    }
}
