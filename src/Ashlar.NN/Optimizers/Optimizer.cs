namespace Ashlar.NN;

/// <summary>Moves parameters against their gradients. A step of it is a part of a compiled step.</summary>
/// <remarks>
/// The number of the step and all moments are states: a checkpoint that holds <see cref="States"/> continues as if never stopped.
/// The learning rate is computed within the step. Moments and updates of 16-bit parameters are kept in float32.
/// </remarks>
public abstract class Optimizer
{
    readonly List<State> states = [];
    readonly string name;

    /// <summary>An optimizer of all parameters that were asked for so far.</summary>
    /// <param name="weights">Of a model that was made.</param>
    /// <param name="learningRate">A number, or one that changes with the step.</param>
    /// <param name="name">The first part of the names of its states.</param>
    /// <exception cref="ModelException">The weights have no parameters yet.</exception>
    protected Optimizer(Weights weights, Schedule learningRate, string name)
    {
        ArgumentNullException.ThrowIfNull(weights);
        ArgumentNullException.ThrowIfNull(learningRate);
        Parameters = [.. weights.Parameters];
        if (Parameters.Count == 0)
            throw new ModelException("ASH0348",
                $"the optimizer '{name}' was given weights without parameters.",
                "make the model first: its layers ask for parameters.");
        (LearningRate, this.name) = (learningRate, name);
        Count = new($"{name}.step", Tensor.Zeros([], DType.Int32));
        states.Add(Count);
    }

    /// <summary>What is learned, in the order in which gradients are given.</summary>
    public IReadOnlyList<Parameter> Parameters { get; }

    /// <summary>The learning rate over the steps.</summary>
    public Schedule LearningRate { get; }

    /// <summary>How many updates were made: an int32 scalar. Also the key that makes dropout differ from step to step.</summary>
    public State Count { get; }

    /// <summary>The number of the step and all moments, named; what a checkpoint must hold to resume.</summary>
    public IReadOnlyList<State> States => states;

    /// <summary>Moves every parameter once.</summary>
    /// <param name="gradients">One per parameter, in the order of <see cref="Parameters"/>, as <c>loss.Gradient(weights)</c>
    /// gives them.</param>
    /// <exception cref="ModelException">There is not one gradient per parameter.</exception>
    public void Update(IReadOnlyList<Tensor> gradients)
    {
        ArgumentNullException.ThrowIfNull(gradients);
        if (gradients.Count != Parameters.Count)
            throw new ModelException("ASH0348",
                $"the optimizer '{name}' has {Parameters.Count} parameters, but got {gradients.Count} gradients.",
                "make the optimizer after the model, and give it loss.Gradient(weights) of the same weights.");
        var step = Count.Value;
        var rate = LearningRate.At(step);
        Count.Value = step + 1;
        Begin(step);
        for (int i = 0; i < gradients.Count; i++)
        {
            var parameter = Parameters[i];
            var wide = parameter.DType.Compute;
            parameter.Value = Step(i, parameter.Value.Cast(wide), gradients[i].Cast(wide), rate.Cast(wide)).Cast(parameter.DType);
        }
    }

    /// <summary>Computes what all parameters of a step share.</summary>
    /// <param name="step">An int32 scalar: how many updates were made before this one.</param>
    protected virtual void Begin(Tensor step)
    {
    }

    /// <summary>The new value of one parameter; assigns its moments.</summary>
    /// <param name="index">Which of <see cref="Parameters"/>.</param>
    /// <param name="value">The value now, in float32 at least.</param>
    /// <param name="gradient">Like the value.</param>
    /// <param name="rate">The learning rate of this step, a scalar.</param>
    protected abstract Tensor Step(int index, Tensor value, Tensor gradient, Tensor rate);

    /// <summary>A state of zeros for each parameter, like it.</summary>
    /// <param name="kind">The second part of the names, before the parameter's.</param>
    protected State[] Moments(string kind) => [.. Parameters.Select(parameter => Moment(kind, parameter, parameter.Shape))];

    /// <summary>A state of zeros that belongs to a parameter.</summary>
    /// <param name="kind">The second part of its name, before the parameter's.</param>
    /// <param name="parameter">Whose it is.</param>
    /// <param name="shape">Its extents.</param>
    protected State Moment(string kind, Parameter parameter, Shape shape)
    {
        var state = new State($"{name}.{kind}.{parameter.Name}", Tensor.Zeros(shape, parameter.DType.Compute));
        states.Add(state);
        return state;
    }

    /// <summary>True for matrices and tables, which decay; biases and the weights of norms do not.</summary>
    protected static bool IsMatrix(Parameter parameter) => parameter.Shape.Rank >= 2;
}
