using System.Runtime.CompilerServices;

namespace Ashlar.Tokenizers;

/// <summary>A part of a template that has a value.</summary>
abstract class Expression(int line)
{
    public int Line => line;

    public object? Evaluate(Rendering rendering, Scope scope)
    {
        rendering.Charge(1);
        return Value(rendering, scope);
    }

    protected abstract object? Value(Rendering rendering, Scope scope);
}

sealed class Constant(int line, object? value) : Expression(line)
{
    public object? Known => value;

    protected override object? Value(Rendering rendering, Scope scope) => value;
}

sealed class Name(int line, string name) : Expression(line)
{
    public string Text => name;

    protected override object? Value(Rendering rendering, Scope scope) =>
        scope.TryGet(name, out object? value) ? value : Globals.Find(name) is { } global ? global : new Undefined($"'{name}'");
}

sealed class ListLiteral(int line, Expression[] entries) : Expression(line)
{
    public Expression[] Entries => entries;

    protected override object? Value(Rendering rendering, Scope scope) =>
        rendering.Sized([.. entries.Select(entry => entry.Evaluate(rendering, scope))]);
}

sealed class MapLiteral(int line, (Expression Key, Expression Value)[] entries) : Expression(line)
{
    protected override object? Value(Rendering rendering, Scope scope)
    {
        var map = new TemplateMap();
        foreach (var (key, value) in entries)
            map[key.Evaluate(rendering, scope) ?? throw new TemplateProblem("None is no key here")] =
                value.Evaluate(rendering, scope);
        return map;
    }
}

sealed class Both(int line, Expression left, Expression right) : Expression(line)
{
    protected override object? Value(Rendering rendering, Scope scope) =>
        left.Evaluate(rendering, scope) is var value && Values.IsTrue(value) ? right.Evaluate(rendering, scope) : value;
}

sealed class Either(int line, Expression left, Expression right) : Expression(line)
{
    protected override object? Value(Rendering rendering, Scope scope) =>
        left.Evaluate(rendering, scope) is var value && Values.IsTrue(value) ? value : right.Evaluate(rendering, scope);
}

sealed class Not(int line, Expression operand) : Expression(line)
{
    protected override object? Value(Rendering rendering, Scope scope) => !Values.IsTrue(operand.Evaluate(rendering, scope));
}

sealed class Choice(int line, Expression condition, Expression yes, Expression? no) : Expression(line)
{
    protected override object? Value(Rendering rendering, Scope scope) =>
        Values.IsTrue(condition.Evaluate(rendering, scope)) ? yes.Evaluate(rendering, scope)
        : no is not null ? no.Evaluate(rendering, scope) : new Undefined("the value of an 'if' without an 'else'");
}

sealed class Comparison(int line, Expression first, (string Sign, Expression Value)[] others) : Expression(line)
{
    protected override object? Value(Rendering rendering, Scope scope)
    {
        object? left = first.Evaluate(rendering, scope);
        foreach (var (sign, other) in others)
        {
            object? right = other.Evaluate(rendering, scope);
            if (right is List<object?> or string) rendering.Charge(Values.Length(right) / 16);
            bool holds = sign switch
            {
                "==" => Values.AreEqual(left, right),
                "!=" => !Values.AreEqual(left, right),
                "<" => Values.Compare(left, right) < 0,
                "<=" => Values.Compare(left, right) <= 0,
                ">" => Values.Compare(left, right) > 0,
                ">=" => Values.Compare(left, right) >= 0,
                "in" => Values.Contains(right, left),
                _ => !Values.Contains(right, left),
            };
            if (!holds) return false;
            left = right;
        }
        return true;
    }
}

sealed class Operation(int line, string sign, Expression left, Expression right) : Expression(line)
{
    protected override object? Value(Rendering rendering, Scope scope)
    {
        object? x = left.Evaluate(rendering, scope), y = right.Evaluate(rendering, scope);
        if (x is Undefined missing) throw new TemplateProblem($"{missing.What} is undefined, but is asked for '{sign}'");
        if (y is Undefined other) throw new TemplateProblem($"{other.What} is undefined, but is asked for '{sign}'");
        return Arithmetic.Do(sign, x, y, rendering);
    }
}

sealed class Concatenation(int line, Expression[] parts) : Expression(line)
{
    protected override object? Value(Rendering rendering, Scope scope)
    {
        string[] texts = [.. parts.Select(part => Values.ToText(part.Evaluate(rendering, scope), rendering))];
        rendering.CheckLength(texts.Sum(text => (long)text.Length));
        return rendering.Sized(string.Concat(texts));
    }
}

sealed class Negative(int line, Expression operand, bool isPlus) : Expression(line)
{
    protected override object? Value(Rendering rendering, Scope scope)
    {
        object? value = operand.Evaluate(rendering, scope);
        return isPlus && Values.IsNumber(value) ? value : value switch
        {
            double number => -number,
            long or bool => Arithmetic.Do("-", 0L, value, rendering),
            _ => throw new TemplateProblem($"{Values.TypeOf(value)} has no negative"),
        };
    }
}

/// <summary><c>x.name</c>: what Python calls an attribute comes before an entry of that name.</summary>
sealed class Attribute(int line, Expression of, string name) : Expression(line)
{
    public Expression Of => of;

    public string Text => name;

    protected override object? Value(Rendering rendering, Scope scope) => Members.Attribute(of.Evaluate(rendering, scope), name);
}

/// <summary><c>x[key]</c>: an entry comes before an attribute.</summary>
sealed class Item(int line, Expression of, Expression key) : Expression(line)
{
    protected override object? Value(Rendering rendering, Scope scope) =>
        Members.Item(of.Evaluate(rendering, scope), key.Evaluate(rendering, scope));
}

sealed class Slice(int line, Expression of, Expression? start, Expression? stop, Expression? step) : Expression(line)
{
    protected override object? Value(Rendering rendering, Scope scope)
    {
        object? value = of.Evaluate(rendering, scope);
        return Members.Slice(value, Bound(start), Bound(stop), Bound(step), rendering);

        long? Bound(Expression? bound) => bound?.Evaluate(rendering, scope) is { } number ? Values.ToLong(number) : null;
    }
}

/// <summary>The arguments of a call, as they are written.</summary>
sealed record ArgumentList(Expression[] Positions, (string Name, Expression Value)[] Names, Expression? MorePositions,
    Expression? MoreNames)
{
    public static ArgumentList None { get; } = new([], [], null, null);

    public Arguments Evaluate(Rendering rendering, Scope scope)
    {
        List<object?> positions = [.. Positions.Select(position => position.Evaluate(rendering, scope))];
        if (MorePositions is not null) positions.AddRange(Values.Items(MorePositions.Evaluate(rendering, scope), rendering));
        var names = new Dictionary<string, object?>();
        foreach (var (name, value) in Names) names[name] = value.Evaluate(rendering, scope);
        if (MoreNames?.Evaluate(rendering, scope) is { } more)
        {
            if (more is not TemplateMap map)
                throw new TemplateProblem($"'**' needs a mapping, but was given {Values.TypeOf(more)}");
            foreach (var (key, value) in map)
                names[key as string ?? throw new TemplateProblem("a name of an argument is no text")] = value;
        }
        return new(positions, names);
    }
}

sealed class Call(int line, Expression function, ArgumentList arguments) : Expression(line)
{
    protected override object? Value(Rendering rendering, Scope scope) => Invoke(rendering, scope, null);

    /// <summary>Calls with the block of a <c>call</c> tag.</summary>
    public object? Invoke(Rendering rendering, Scope scope, TemplateFunction? caller)
    {
        object? value = function.Evaluate(rendering, scope);
        if (value is LoopState loop)
            value = loop.Again ?? throw new TemplateProblem("this loop is not recursive, and cannot be called");
        if (value is not TemplateFunction called)
        {
            string what = function switch
            {
                Name name => $"'{name.Text}'",
                Attribute attribute => $"'{attribute.Text}'",
                _ => "a value",
            };
            throw new TemplateProblem(value is Undefined
                ? $"{what} is undefined, and cannot be called"
                : $"{what} is {Values.TypeOf(value)}, and cannot be called");
        }
        var given = arguments.Evaluate(rendering, scope);
        if (caller is not null) given.Names["caller"] = caller;
        return rendering.Within(() =>
        {
            RuntimeHelpers.EnsureSufficientExecutionStack();
            return called(rendering, given);
        });
    }
}

sealed class Filtered(int line, Expression? value, string name, ArgumentList arguments) : Expression(line)
{
    readonly TemplateFilter filter = Filters.Find(name) ?? throw new TemplateProblem($"there is no filter '{name}'");

    protected override object? Value(Rendering rendering, Scope scope) =>
        Apply(value!.Evaluate(rendering, scope), rendering, scope);

    public object? Apply(object? input, Rendering rendering, Scope scope) =>
        filter(rendering, input, arguments.Evaluate(rendering, scope));
}

sealed class Tested(int line, Expression value, string name, ArgumentList arguments, bool isNegated) : Expression(line)
{
    readonly TemplateTest test = Tests.Find(name) ?? throw new TemplateProblem($"there is no test '{name}'");

    protected override object? Value(Rendering rendering, Scope scope) =>
        test(rendering, value.Evaluate(rendering, scope), arguments.Evaluate(rendering, scope)) != isNegated;
}
