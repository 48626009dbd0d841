using System.Collections.Concurrent;
using System.Reflection;
using System.Runtime.Intrinsics;

namespace Ashlar.Backends.Cpu.Vec.Emit;

/// <summary>Finds the method that does an operation, by name and types; the first one of the path's classes wins.</summary>
/// <remarks>Reflection is slow, so every answer is kept: a kernel of known operations resolves without it.</remarks>
internal static class Intrinsics
{
    const BindingFlags Statics = BindingFlags.Static | BindingFlags.Public | BindingFlags.DeclaredOnly;

    static readonly Type[][] classes =
    [
        [typeof(Avx512Lanes), typeof(Avx2Lanes), typeof(HalfLanes), typeof(Lanes), typeof(Vector512), typeof(Vector256),
            typeof(Vector128)],
        [typeof(Avx2Lanes), typeof(HalfLanes), typeof(Lanes), typeof(Vector256), typeof(Vector128), typeof(Vector512)],
        [typeof(HalfLanes), typeof(Lanes), typeof(Vector128), typeof(Vector256), typeof(Vector512)],
    ];

    static readonly ConcurrentDictionary<Key, MethodInfo?> found = new();
    static readonly ConcurrentDictionary<(VecOp, VecType), MethodInfo> laneCalls = new();
    static readonly ConcurrentDictionary<(Type, string), MethodInfo[]> named = new();

    readonly record struct Key(Isa Isa, string Name, Type Result, Type? A, Type? B, Type? C);

    /// <summary>The method of this name, result and parameters; null where the path has none.</summary>
    public static MethodInfo? TryFind(Isa isa, string name, Type result, Type? a = null, Type? b = null, Type? c = null)
    {
        var key = new Key(isa, name, result, a, b, c);
        if (!found.TryGetValue(key, out var method)) found[key] = method = Search(key);
        return method;
    }

    /// <summary>The method of this name, result and parameters.</summary>
    public static MethodInfo Find(Isa isa, string name, Type result, Type? a = null, Type? b = null, Type? c = null) =>
        TryFind(isa, name, result, a, b, c) ?? throw new KernelException("ASH0552",
            $"{isa.Name} has no method {name}({string.Join(", ", new[] { a, b, c }.OfType<Type>().Select(Short))}) that gives {Short(result)}.",
            "add it to the classes of Vec/Emit, or expand the operation in the builder.");

    /// <summary>The method that does an operation lane by lane.</summary>
    public static MethodInfo? LaneCall(VecOp op, VecType type)
    {
        if (laneCalls.TryGetValue((op, type), out var method)) return method;
        if (LaneCalls.Of(op, type.Elem) is not { } lane) return null;
        method = typeof(LaneCalls).GetMethod(nameof(LaneCalls.Map))!.MakeGenericMethod(Clr(type), ClrElem(type.Elem), lane);
        return laneCalls[(op, type)] = method;
    }

    /// <summary>A generic method of <see cref="LaneCalls"/>, made for these types.</summary>
    public static MethodInfo Generic(string name, params Type[] types) =>
        typeof(LaneCalls).GetMethod(name)!.MakeGenericMethod(types);

    /// <summary>The .NET type of a register.</summary>
    public static Type Clr(VecType type) => type.IsScalar ? typeof(long) : Vectors[Level(type)][(int)type.Elem];

    /// <summary>The .NET type of a lane.</summary>
    public static Type ClrElem(Elem elem) => elem switch
    {
        Elem.F32 => typeof(float),
        Elem.F64 => typeof(double),
        Elem.I32 or Elem.M32 => typeof(int),
        _ => typeof(long),
    };

    static readonly Type[][] Vectors =
    [
        [typeof(Vector128<float>), typeof(Vector128<double>), typeof(Vector128<int>), typeof(Vector128<long>),
            typeof(Vector128<int>), typeof(Vector128<long>)],
        [typeof(Vector256<float>), typeof(Vector256<double>), typeof(Vector256<int>), typeof(Vector256<long>),
            typeof(Vector256<int>), typeof(Vector256<long>)],
        [typeof(Vector512<float>), typeof(Vector512<double>), typeof(Vector512<int>), typeof(Vector512<long>),
            typeof(Vector512<int>), typeof(Vector512<long>)],
    ];

    static int Level(VecType type) => type.Bits switch { 128 => 0, 256 => 1, _ => 2 };

    static MethodInfo? Search(Key key)
    {
        Type[] parameters = [.. new[] { key.A, key.B, key.C }.OfType<Type>()];
        foreach (var holder in classes[(int)key.Isa])
            foreach (var candidate in named.GetOrAdd((holder, key.Name),
                k => [.. k.Item1.GetMember(k.Item2, MemberTypes.Method, Statics).Cast<MethodInfo>()]))
                if (Match(candidate, key.Result, parameters) is { } method) return method;
        return null;
    }

    static MethodInfo? Match(MethodInfo method, Type result, Type[] parameters)
    {
        if (method.GetParameters().Length != parameters.Length) return null;
        if (method.IsGenericMethodDefinition)
        {
            if (method.GetGenericArguments().Length != 1) return null;
            var shape = parameters.Append(result).FirstOrDefault(t => t.IsGenericType);
            if (shape is null) return null;
            method = method.MakeGenericMethod(shape.GetGenericArguments()[0]);
        }
        if (method.ReturnType != result) return null;
        var own = method.GetParameters();
        for (int i = 0; i < parameters.Length; i++)
            if (own[i].ParameterType != parameters[i] && !(own[i].ParameterType.IsPointer && parameters[i] == typeof(nint)))
                return null;
        return method;
    }

    static string Short(Type type) => type.IsGenericType ? $"{type.Name[..^2]}<{type.GetGenericArguments()[0].Name}>" : type.Name;
}
