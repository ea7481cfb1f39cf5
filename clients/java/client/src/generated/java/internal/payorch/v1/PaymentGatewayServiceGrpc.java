package internal.payorch.v1;

import static io.grpc.MethodDescriptor.generateFullMethodName;

/**
 * <pre>
 * A payment gateway that is plugged into Zuora's Universal Payment Connector.
 * A team that owns a payment gateway implements this service as a plug-in, and payorch's hub calls it. The hub speaks
 * with Zuora, keeps the records, and decides how to answer Zuora. A plug-in needs to know nothing of Zuora.
 * Three rules hold for every call that may move money:
 * 1. One key, one effect. Calls with the same `idempotency_key` have the effect of one call, for at least as long as
 *    `DescribeGateway.idempotent_for` states, even when they overlap and after a restart. A later call gets the outcome
 *    of the first. Pass the key on to your provider if it takes one, and record it before you call the provider.
 * 2. Answer with an outcome if you know one, and with a gRPC error if you do not. An error, whatever its code, means
 *    that money may have moved: the hub leaves the payment open and asks again. Answer `DECLINED` or `FAILED` only if
 *    no money moved under this key, in this call or an earlier one: Zuora then collects again by a new payment.
 * 3. Finish in time. The call's deadline is how long the hub waits, usually 44 seconds. If your work continues after
 *    the deadline, `LookUp` must return its result.
 * The hub calls again under the same key only when Zuora sends a request again, or when one of the hub's processes
 * ended during the call; then `may_be_repeated` is true.
 * Ignore fields that you do not know. Implement grpc.health.v1.Health as well, for the empty service name: a process
 * that is not SERVING gets no new calls. `payorch-server upc certify` checks a plug-in against these rules.
 * </pre>
 */
@io.grpc.stub.annotations.GrpcGenerated
public final class PaymentGatewayServiceGrpc {

  private PaymentGatewayServiceGrpc() {}

  public static final java.lang.String SERVICE_NAME = "payorch.v1.PaymentGatewayService";

  // Static method descriptors that strictly reflect the proto.
  private static volatile io.grpc.MethodDescriptor<internal.payorch.v1.DescribeGatewayRequest,
      internal.payorch.v1.DescribeGatewayResponse> getDescribeGatewayMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "DescribeGateway",
      requestType = internal.payorch.v1.DescribeGatewayRequest.class,
      responseType = internal.payorch.v1.DescribeGatewayResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<internal.payorch.v1.DescribeGatewayRequest,
      internal.payorch.v1.DescribeGatewayResponse> getDescribeGatewayMethod() {
    io.grpc.MethodDescriptor<internal.payorch.v1.DescribeGatewayRequest, internal.payorch.v1.DescribeGatewayResponse> getDescribeGatewayMethod;
    if ((getDescribeGatewayMethod = PaymentGatewayServiceGrpc.getDescribeGatewayMethod) == null) {
      synchronized (PaymentGatewayServiceGrpc.class) {
        if ((getDescribeGatewayMethod = PaymentGatewayServiceGrpc.getDescribeGatewayMethod) == null) {
          PaymentGatewayServiceGrpc.getDescribeGatewayMethod = getDescribeGatewayMethod =
              io.grpc.MethodDescriptor.<internal.payorch.v1.DescribeGatewayRequest, internal.payorch.v1.DescribeGatewayResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "DescribeGateway"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  internal.payorch.v1.DescribeGatewayRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  internal.payorch.v1.DescribeGatewayResponse.getDefaultInstance()))
              .setSchemaDescriptor(new PaymentGatewayServiceMethodDescriptorSupplier("DescribeGateway"))
              .build();
        }
      }
    }
    return getDescribeGatewayMethod;
  }

  private static volatile io.grpc.MethodDescriptor<internal.payorch.v1.ValidatePaymentMethodRequest,
      internal.payorch.v1.ValidatePaymentMethodResponse> getValidatePaymentMethodMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "ValidatePaymentMethod",
      requestType = internal.payorch.v1.ValidatePaymentMethodRequest.class,
      responseType = internal.payorch.v1.ValidatePaymentMethodResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<internal.payorch.v1.ValidatePaymentMethodRequest,
      internal.payorch.v1.ValidatePaymentMethodResponse> getValidatePaymentMethodMethod() {
    io.grpc.MethodDescriptor<internal.payorch.v1.ValidatePaymentMethodRequest, internal.payorch.v1.ValidatePaymentMethodResponse> getValidatePaymentMethodMethod;
    if ((getValidatePaymentMethodMethod = PaymentGatewayServiceGrpc.getValidatePaymentMethodMethod) == null) {
      synchronized (PaymentGatewayServiceGrpc.class) {
        if ((getValidatePaymentMethodMethod = PaymentGatewayServiceGrpc.getValidatePaymentMethodMethod) == null) {
          PaymentGatewayServiceGrpc.getValidatePaymentMethodMethod = getValidatePaymentMethodMethod =
              io.grpc.MethodDescriptor.<internal.payorch.v1.ValidatePaymentMethodRequest, internal.payorch.v1.ValidatePaymentMethodResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "ValidatePaymentMethod"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  internal.payorch.v1.ValidatePaymentMethodRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  internal.payorch.v1.ValidatePaymentMethodResponse.getDefaultInstance()))
              .setSchemaDescriptor(new PaymentGatewayServiceMethodDescriptorSupplier("ValidatePaymentMethod"))
              .build();
        }
      }
    }
    return getValidatePaymentMethodMethod;
  }

  private static volatile io.grpc.MethodDescriptor<internal.payorch.v1.ProcessPaymentRequest,
      internal.payorch.v1.ProcessPaymentResponse> getProcessPaymentMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "ProcessPayment",
      requestType = internal.payorch.v1.ProcessPaymentRequest.class,
      responseType = internal.payorch.v1.ProcessPaymentResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<internal.payorch.v1.ProcessPaymentRequest,
      internal.payorch.v1.ProcessPaymentResponse> getProcessPaymentMethod() {
    io.grpc.MethodDescriptor<internal.payorch.v1.ProcessPaymentRequest, internal.payorch.v1.ProcessPaymentResponse> getProcessPaymentMethod;
    if ((getProcessPaymentMethod = PaymentGatewayServiceGrpc.getProcessPaymentMethod) == null) {
      synchronized (PaymentGatewayServiceGrpc.class) {
        if ((getProcessPaymentMethod = PaymentGatewayServiceGrpc.getProcessPaymentMethod) == null) {
          PaymentGatewayServiceGrpc.getProcessPaymentMethod = getProcessPaymentMethod =
              io.grpc.MethodDescriptor.<internal.payorch.v1.ProcessPaymentRequest, internal.payorch.v1.ProcessPaymentResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "ProcessPayment"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  internal.payorch.v1.ProcessPaymentRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  internal.payorch.v1.ProcessPaymentResponse.getDefaultInstance()))
              .setSchemaDescriptor(new PaymentGatewayServiceMethodDescriptorSupplier("ProcessPayment"))
              .build();
        }
      }
    }
    return getProcessPaymentMethod;
  }

  private static volatile io.grpc.MethodDescriptor<internal.payorch.v1.ProcessRefundRequest,
      internal.payorch.v1.ProcessRefundResponse> getProcessRefundMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "ProcessRefund",
      requestType = internal.payorch.v1.ProcessRefundRequest.class,
      responseType = internal.payorch.v1.ProcessRefundResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<internal.payorch.v1.ProcessRefundRequest,
      internal.payorch.v1.ProcessRefundResponse> getProcessRefundMethod() {
    io.grpc.MethodDescriptor<internal.payorch.v1.ProcessRefundRequest, internal.payorch.v1.ProcessRefundResponse> getProcessRefundMethod;
    if ((getProcessRefundMethod = PaymentGatewayServiceGrpc.getProcessRefundMethod) == null) {
      synchronized (PaymentGatewayServiceGrpc.class) {
        if ((getProcessRefundMethod = PaymentGatewayServiceGrpc.getProcessRefundMethod) == null) {
          PaymentGatewayServiceGrpc.getProcessRefundMethod = getProcessRefundMethod =
              io.grpc.MethodDescriptor.<internal.payorch.v1.ProcessRefundRequest, internal.payorch.v1.ProcessRefundResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "ProcessRefund"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  internal.payorch.v1.ProcessRefundRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  internal.payorch.v1.ProcessRefundResponse.getDefaultInstance()))
              .setSchemaDescriptor(new PaymentGatewayServiceMethodDescriptorSupplier("ProcessRefund"))
              .build();
        }
      }
    }
    return getProcessRefundMethod;
  }

  private static volatile io.grpc.MethodDescriptor<internal.payorch.v1.LookUpRequest,
      internal.payorch.v1.LookUpResponse> getLookUpMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "LookUp",
      requestType = internal.payorch.v1.LookUpRequest.class,
      responseType = internal.payorch.v1.LookUpResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<internal.payorch.v1.LookUpRequest,
      internal.payorch.v1.LookUpResponse> getLookUpMethod() {
    io.grpc.MethodDescriptor<internal.payorch.v1.LookUpRequest, internal.payorch.v1.LookUpResponse> getLookUpMethod;
    if ((getLookUpMethod = PaymentGatewayServiceGrpc.getLookUpMethod) == null) {
      synchronized (PaymentGatewayServiceGrpc.class) {
        if ((getLookUpMethod = PaymentGatewayServiceGrpc.getLookUpMethod) == null) {
          PaymentGatewayServiceGrpc.getLookUpMethod = getLookUpMethod =
              io.grpc.MethodDescriptor.<internal.payorch.v1.LookUpRequest, internal.payorch.v1.LookUpResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "LookUp"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  internal.payorch.v1.LookUpRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  internal.payorch.v1.LookUpResponse.getDefaultInstance()))
              .setSchemaDescriptor(new PaymentGatewayServiceMethodDescriptorSupplier("LookUp"))
              .build();
        }
      }
    }
    return getLookUpMethod;
  }

  /**
   * Creates a new async stub that supports all call types for the service
   */
  public static PaymentGatewayServiceStub newStub(io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<PaymentGatewayServiceStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<PaymentGatewayServiceStub>() {
        @java.lang.Override
        public PaymentGatewayServiceStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new PaymentGatewayServiceStub(channel, callOptions);
        }
      };
    return PaymentGatewayServiceStub.newStub(factory, channel);
  }

  /**
   * Creates a new blocking-style stub that supports all types of calls on the service
   */
  public static PaymentGatewayServiceBlockingV2Stub newBlockingV2Stub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<PaymentGatewayServiceBlockingV2Stub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<PaymentGatewayServiceBlockingV2Stub>() {
        @java.lang.Override
        public PaymentGatewayServiceBlockingV2Stub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new PaymentGatewayServiceBlockingV2Stub(channel, callOptions);
        }
      };
    return PaymentGatewayServiceBlockingV2Stub.newStub(factory, channel);
  }

  /**
   * Creates a new blocking-style stub that supports unary and streaming output calls on the service
   */
  public static PaymentGatewayServiceBlockingStub newBlockingStub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<PaymentGatewayServiceBlockingStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<PaymentGatewayServiceBlockingStub>() {
        @java.lang.Override
        public PaymentGatewayServiceBlockingStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new PaymentGatewayServiceBlockingStub(channel, callOptions);
        }
      };
    return PaymentGatewayServiceBlockingStub.newStub(factory, channel);
  }

  /**
   * Creates a new ListenableFuture-style stub that supports unary calls on the service
   */
  public static PaymentGatewayServiceFutureStub newFutureStub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<PaymentGatewayServiceFutureStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<PaymentGatewayServiceFutureStub>() {
        @java.lang.Override
        public PaymentGatewayServiceFutureStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new PaymentGatewayServiceFutureStub(channel, callOptions);
        }
      };
    return PaymentGatewayServiceFutureStub.newStub(factory, channel);
  }

  /**
   * <pre>
   * A payment gateway that is plugged into Zuora's Universal Payment Connector.
   * A team that owns a payment gateway implements this service as a plug-in, and payorch's hub calls it. The hub speaks
   * with Zuora, keeps the records, and decides how to answer Zuora. A plug-in needs to know nothing of Zuora.
   * Three rules hold for every call that may move money:
   * 1. One key, one effect. Calls with the same `idempotency_key` have the effect of one call, for at least as long as
   *    `DescribeGateway.idempotent_for` states, even when they overlap and after a restart. A later call gets the outcome
   *    of the first. Pass the key on to your provider if it takes one, and record it before you call the provider.
   * 2. Answer with an outcome if you know one, and with a gRPC error if you do not. An error, whatever its code, means
   *    that money may have moved: the hub leaves the payment open and asks again. Answer `DECLINED` or `FAILED` only if
   *    no money moved under this key, in this call or an earlier one: Zuora then collects again by a new payment.
   * 3. Finish in time. The call's deadline is how long the hub waits, usually 44 seconds. If your work continues after
   *    the deadline, `LookUp` must return its result.
   * The hub calls again under the same key only when Zuora sends a request again, or when one of the hub's processes
   * ended during the call; then `may_be_repeated` is true.
   * Ignore fields that you do not know. Implement grpc.health.v1.Health as well, for the empty service name: a process
   * that is not SERVING gets no new calls. `payorch-server upc certify` checks a plug-in against these rules.
   * </pre>
   */
  public interface AsyncService {

    /**
     * <pre>
     * Describes the gateway. Called when the hub connects, whenever it reconnects, and about every minute while calls are
     * made. Answer within 2 seconds; after connecting, the hub calls nothing else until it has an answer.
     * </pre>
     */
    default void describeGateway(internal.payorch.v1.DescribeGatewayRequest request,
        io.grpc.stub.StreamObserver<internal.payorch.v1.DescribeGatewayResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getDescribeGatewayMethod(), responseObserver);
    }

    /**
     * <pre>
     * Checks a payment method while Zuora creates it. No money moves. The plug-in may authorize `auth_amount`, and must
     * then release the authorization.
     * </pre>
     */
    default void validatePaymentMethod(internal.payorch.v1.ValidatePaymentMethodRequest request,
        io.grpc.stub.StreamObserver<internal.payorch.v1.ValidatePaymentMethodResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getValidatePaymentMethodMethod(), responseObserver);
    }

    /**
     * <pre>
     * Collects a payment: authorizes and captures in one step.
     * </pre>
     */
    default void processPayment(internal.payorch.v1.ProcessPaymentRequest request,
        io.grpc.stub.StreamObserver<internal.payorch.v1.ProcessPaymentResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getProcessPaymentMethod(), responseObserver);
    }

    /**
     * <pre>
     * Refunds a payment that ProcessPayment collected, wholly or in part.
     * </pre>
     */
    default void processRefund(internal.payorch.v1.ProcessRefundRequest request,
        io.grpc.stub.StreamObserver<internal.payorch.v1.ProcessRefundResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getProcessRefundMethod(), responseObserver);
    }

    /**
     * <pre>
     * Looks up what became of the calls under a key. It must not call the provider in a way that moves money. A plug-in
     * that does not implement it sets `DescribeGateway.looks_up` to false; a payment in doubt then stays open until Zuora
     * asks again and the repeated call is approved.
     * </pre>
     */
    default void lookUp(internal.payorch.v1.LookUpRequest request,
        io.grpc.stub.StreamObserver<internal.payorch.v1.LookUpResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getLookUpMethod(), responseObserver);
    }
  }

  /**
   * Base class for the server implementation of the service PaymentGatewayService.
   * <pre>
   * A payment gateway that is plugged into Zuora's Universal Payment Connector.
   * A team that owns a payment gateway implements this service as a plug-in, and payorch's hub calls it. The hub speaks
   * with Zuora, keeps the records, and decides how to answer Zuora. A plug-in needs to know nothing of Zuora.
   * Three rules hold for every call that may move money:
   * 1. One key, one effect. Calls with the same `idempotency_key` have the effect of one call, for at least as long as
   *    `DescribeGateway.idempotent_for` states, even when they overlap and after a restart. A later call gets the outcome
   *    of the first. Pass the key on to your provider if it takes one, and record it before you call the provider.
   * 2. Answer with an outcome if you know one, and with a gRPC error if you do not. An error, whatever its code, means
   *    that money may have moved: the hub leaves the payment open and asks again. Answer `DECLINED` or `FAILED` only if
   *    no money moved under this key, in this call or an earlier one: Zuora then collects again by a new payment.
   * 3. Finish in time. The call's deadline is how long the hub waits, usually 44 seconds. If your work continues after
   *    the deadline, `LookUp` must return its result.
   * The hub calls again under the same key only when Zuora sends a request again, or when one of the hub's processes
   * ended during the call; then `may_be_repeated` is true.
   * Ignore fields that you do not know. Implement grpc.health.v1.Health as well, for the empty service name: a process
   * that is not SERVING gets no new calls. `payorch-server upc certify` checks a plug-in against these rules.
   * </pre>
   */
  public static abstract class PaymentGatewayServiceImplBase
      implements io.grpc.BindableService, AsyncService {

    @java.lang.Override public final io.grpc.ServerServiceDefinition bindService() {
      return PaymentGatewayServiceGrpc.bindService(this);
    }
  }

  /**
   * A stub to allow clients to do asynchronous rpc calls to service PaymentGatewayService.
   * <pre>
   * A payment gateway that is plugged into Zuora's Universal Payment Connector.
   * A team that owns a payment gateway implements this service as a plug-in, and payorch's hub calls it. The hub speaks
   * with Zuora, keeps the records, and decides how to answer Zuora. A plug-in needs to know nothing of Zuora.
   * Three rules hold for every call that may move money:
   * 1. One key, one effect. Calls with the same `idempotency_key` have the effect of one call, for at least as long as
   *    `DescribeGateway.idempotent_for` states, even when they overlap and after a restart. A later call gets the outcome
   *    of the first. Pass the key on to your provider if it takes one, and record it before you call the provider.
   * 2. Answer with an outcome if you know one, and with a gRPC error if you do not. An error, whatever its code, means
   *    that money may have moved: the hub leaves the payment open and asks again. Answer `DECLINED` or `FAILED` only if
   *    no money moved under this key, in this call or an earlier one: Zuora then collects again by a new payment.
   * 3. Finish in time. The call's deadline is how long the hub waits, usually 44 seconds. If your work continues after
   *    the deadline, `LookUp` must return its result.
   * The hub calls again under the same key only when Zuora sends a request again, or when one of the hub's processes
   * ended during the call; then `may_be_repeated` is true.
   * Ignore fields that you do not know. Implement grpc.health.v1.Health as well, for the empty service name: a process
   * that is not SERVING gets no new calls. `payorch-server upc certify` checks a plug-in against these rules.
   * </pre>
   */
  public static final class PaymentGatewayServiceStub
      extends io.grpc.stub.AbstractAsyncStub<PaymentGatewayServiceStub> {
    private PaymentGatewayServiceStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected PaymentGatewayServiceStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new PaymentGatewayServiceStub(channel, callOptions);
    }

    /**
     * <pre>
     * Describes the gateway. Called when the hub connects, whenever it reconnects, and about every minute while calls are
     * made. Answer within 2 seconds; after connecting, the hub calls nothing else until it has an answer.
     * </pre>
     */
    public void describeGateway(internal.payorch.v1.DescribeGatewayRequest request,
        io.grpc.stub.StreamObserver<internal.payorch.v1.DescribeGatewayResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getDescribeGatewayMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Checks a payment method while Zuora creates it. No money moves. The plug-in may authorize `auth_amount`, and must
     * then release the authorization.
     * </pre>
     */
    public void validatePaymentMethod(internal.payorch.v1.ValidatePaymentMethodRequest request,
        io.grpc.stub.StreamObserver<internal.payorch.v1.ValidatePaymentMethodResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getValidatePaymentMethodMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Collects a payment: authorizes and captures in one step.
     * </pre>
     */
    public void processPayment(internal.payorch.v1.ProcessPaymentRequest request,
        io.grpc.stub.StreamObserver<internal.payorch.v1.ProcessPaymentResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getProcessPaymentMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Refunds a payment that ProcessPayment collected, wholly or in part.
     * </pre>
     */
    public void processRefund(internal.payorch.v1.ProcessRefundRequest request,
        io.grpc.stub.StreamObserver<internal.payorch.v1.ProcessRefundResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getProcessRefundMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Looks up what became of the calls under a key. It must not call the provider in a way that moves money. A plug-in
     * that does not implement it sets `DescribeGateway.looks_up` to false; a payment in doubt then stays open until Zuora
     * asks again and the repeated call is approved.
     * </pre>
     */
    public void lookUp(internal.payorch.v1.LookUpRequest request,
        io.grpc.stub.StreamObserver<internal.payorch.v1.LookUpResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getLookUpMethod(), getCallOptions()), request, responseObserver);
    }
  }

  /**
   * A stub to allow clients to do synchronous rpc calls to service PaymentGatewayService.
   * <pre>
   * A payment gateway that is plugged into Zuora's Universal Payment Connector.
   * A team that owns a payment gateway implements this service as a plug-in, and payorch's hub calls it. The hub speaks
   * with Zuora, keeps the records, and decides how to answer Zuora. A plug-in needs to know nothing of Zuora.
   * Three rules hold for every call that may move money:
   * 1. One key, one effect. Calls with the same `idempotency_key` have the effect of one call, for at least as long as
   *    `DescribeGateway.idempotent_for` states, even when they overlap and after a restart. A later call gets the outcome
   *    of the first. Pass the key on to your provider if it takes one, and record it before you call the provider.
   * 2. Answer with an outcome if you know one, and with a gRPC error if you do not. An error, whatever its code, means
   *    that money may have moved: the hub leaves the payment open and asks again. Answer `DECLINED` or `FAILED` only if
   *    no money moved under this key, in this call or an earlier one: Zuora then collects again by a new payment.
   * 3. Finish in time. The call's deadline is how long the hub waits, usually 44 seconds. If your work continues after
   *    the deadline, `LookUp` must return its result.
   * The hub calls again under the same key only when Zuora sends a request again, or when one of the hub's processes
   * ended during the call; then `may_be_repeated` is true.
   * Ignore fields that you do not know. Implement grpc.health.v1.Health as well, for the empty service name: a process
   * that is not SERVING gets no new calls. `payorch-server upc certify` checks a plug-in against these rules.
   * </pre>
   */
  public static final class PaymentGatewayServiceBlockingV2Stub
      extends io.grpc.stub.AbstractBlockingStub<PaymentGatewayServiceBlockingV2Stub> {
    private PaymentGatewayServiceBlockingV2Stub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected PaymentGatewayServiceBlockingV2Stub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new PaymentGatewayServiceBlockingV2Stub(channel, callOptions);
    }

    /**
     * <pre>
     * Describes the gateway. Called when the hub connects, whenever it reconnects, and about every minute while calls are
     * made. Answer within 2 seconds; after connecting, the hub calls nothing else until it has an answer.
     * </pre>
     */
    public internal.payorch.v1.DescribeGatewayResponse describeGateway(internal.payorch.v1.DescribeGatewayRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getDescribeGatewayMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Checks a payment method while Zuora creates it. No money moves. The plug-in may authorize `auth_amount`, and must
     * then release the authorization.
     * </pre>
     */
    public internal.payorch.v1.ValidatePaymentMethodResponse validatePaymentMethod(internal.payorch.v1.ValidatePaymentMethodRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getValidatePaymentMethodMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Collects a payment: authorizes and captures in one step.
     * </pre>
     */
    public internal.payorch.v1.ProcessPaymentResponse processPayment(internal.payorch.v1.ProcessPaymentRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getProcessPaymentMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Refunds a payment that ProcessPayment collected, wholly or in part.
     * </pre>
     */
    public internal.payorch.v1.ProcessRefundResponse processRefund(internal.payorch.v1.ProcessRefundRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getProcessRefundMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Looks up what became of the calls under a key. It must not call the provider in a way that moves money. A plug-in
     * that does not implement it sets `DescribeGateway.looks_up` to false; a payment in doubt then stays open until Zuora
     * asks again and the repeated call is approved.
     * </pre>
     */
    public internal.payorch.v1.LookUpResponse lookUp(internal.payorch.v1.LookUpRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getLookUpMethod(), getCallOptions(), request);
    }
  }

  /**
   * A stub to allow clients to do limited synchronous rpc calls to service PaymentGatewayService.
   * <pre>
   * A payment gateway that is plugged into Zuora's Universal Payment Connector.
   * A team that owns a payment gateway implements this service as a plug-in, and payorch's hub calls it. The hub speaks
   * with Zuora, keeps the records, and decides how to answer Zuora. A plug-in needs to know nothing of Zuora.
   * Three rules hold for every call that may move money:
   * 1. One key, one effect. Calls with the same `idempotency_key` have the effect of one call, for at least as long as
   *    `DescribeGateway.idempotent_for` states, even when they overlap and after a restart. A later call gets the outcome
   *    of the first. Pass the key on to your provider if it takes one, and record it before you call the provider.
   * 2. Answer with an outcome if you know one, and with a gRPC error if you do not. An error, whatever its code, means
   *    that money may have moved: the hub leaves the payment open and asks again. Answer `DECLINED` or `FAILED` only if
   *    no money moved under this key, in this call or an earlier one: Zuora then collects again by a new payment.
   * 3. Finish in time. The call's deadline is how long the hub waits, usually 44 seconds. If your work continues after
   *    the deadline, `LookUp` must return its result.
   * The hub calls again under the same key only when Zuora sends a request again, or when one of the hub's processes
   * ended during the call; then `may_be_repeated` is true.
   * Ignore fields that you do not know. Implement grpc.health.v1.Health as well, for the empty service name: a process
   * that is not SERVING gets no new calls. `payorch-server upc certify` checks a plug-in against these rules.
   * </pre>
   */
  public static final class PaymentGatewayServiceBlockingStub
      extends io.grpc.stub.AbstractBlockingStub<PaymentGatewayServiceBlockingStub> {
    private PaymentGatewayServiceBlockingStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected PaymentGatewayServiceBlockingStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new PaymentGatewayServiceBlockingStub(channel, callOptions);
    }

    /**
     * <pre>
     * Describes the gateway. Called when the hub connects, whenever it reconnects, and about every minute while calls are
     * made. Answer within 2 seconds; after connecting, the hub calls nothing else until it has an answer.
     * </pre>
     */
    public internal.payorch.v1.DescribeGatewayResponse describeGateway(internal.payorch.v1.DescribeGatewayRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getDescribeGatewayMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Checks a payment method while Zuora creates it. No money moves. The plug-in may authorize `auth_amount`, and must
     * then release the authorization.
     * </pre>
     */
    public internal.payorch.v1.ValidatePaymentMethodResponse validatePaymentMethod(internal.payorch.v1.ValidatePaymentMethodRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getValidatePaymentMethodMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Collects a payment: authorizes and captures in one step.
     * </pre>
     */
    public internal.payorch.v1.ProcessPaymentResponse processPayment(internal.payorch.v1.ProcessPaymentRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getProcessPaymentMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Refunds a payment that ProcessPayment collected, wholly or in part.
     * </pre>
     */
    public internal.payorch.v1.ProcessRefundResponse processRefund(internal.payorch.v1.ProcessRefundRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getProcessRefundMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Looks up what became of the calls under a key. It must not call the provider in a way that moves money. A plug-in
     * that does not implement it sets `DescribeGateway.looks_up` to false; a payment in doubt then stays open until Zuora
     * asks again and the repeated call is approved.
     * </pre>
     */
    public internal.payorch.v1.LookUpResponse lookUp(internal.payorch.v1.LookUpRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getLookUpMethod(), getCallOptions(), request);
    }
  }

  /**
   * A stub to allow clients to do ListenableFuture-style rpc calls to service PaymentGatewayService.
   * <pre>
   * A payment gateway that is plugged into Zuora's Universal Payment Connector.
   * A team that owns a payment gateway implements this service as a plug-in, and payorch's hub calls it. The hub speaks
   * with Zuora, keeps the records, and decides how to answer Zuora. A plug-in needs to know nothing of Zuora.
   * Three rules hold for every call that may move money:
   * 1. One key, one effect. Calls with the same `idempotency_key` have the effect of one call, for at least as long as
   *    `DescribeGateway.idempotent_for` states, even when they overlap and after a restart. A later call gets the outcome
   *    of the first. Pass the key on to your provider if it takes one, and record it before you call the provider.
   * 2. Answer with an outcome if you know one, and with a gRPC error if you do not. An error, whatever its code, means
   *    that money may have moved: the hub leaves the payment open and asks again. Answer `DECLINED` or `FAILED` only if
   *    no money moved under this key, in this call or an earlier one: Zuora then collects again by a new payment.
   * 3. Finish in time. The call's deadline is how long the hub waits, usually 44 seconds. If your work continues after
   *    the deadline, `LookUp` must return its result.
   * The hub calls again under the same key only when Zuora sends a request again, or when one of the hub's processes
   * ended during the call; then `may_be_repeated` is true.
   * Ignore fields that you do not know. Implement grpc.health.v1.Health as well, for the empty service name: a process
   * that is not SERVING gets no new calls. `payorch-server upc certify` checks a plug-in against these rules.
   * </pre>
   */
  public static final class PaymentGatewayServiceFutureStub
      extends io.grpc.stub.AbstractFutureStub<PaymentGatewayServiceFutureStub> {
    private PaymentGatewayServiceFutureStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected PaymentGatewayServiceFutureStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new PaymentGatewayServiceFutureStub(channel, callOptions);
    }

    /**
     * <pre>
     * Describes the gateway. Called when the hub connects, whenever it reconnects, and about every minute while calls are
     * made. Answer within 2 seconds; after connecting, the hub calls nothing else until it has an answer.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<internal.payorch.v1.DescribeGatewayResponse> describeGateway(
        internal.payorch.v1.DescribeGatewayRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getDescribeGatewayMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Checks a payment method while Zuora creates it. No money moves. The plug-in may authorize `auth_amount`, and must
     * then release the authorization.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<internal.payorch.v1.ValidatePaymentMethodResponse> validatePaymentMethod(
        internal.payorch.v1.ValidatePaymentMethodRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getValidatePaymentMethodMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Collects a payment: authorizes and captures in one step.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<internal.payorch.v1.ProcessPaymentResponse> processPayment(
        internal.payorch.v1.ProcessPaymentRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getProcessPaymentMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Refunds a payment that ProcessPayment collected, wholly or in part.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<internal.payorch.v1.ProcessRefundResponse> processRefund(
        internal.payorch.v1.ProcessRefundRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getProcessRefundMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Looks up what became of the calls under a key. It must not call the provider in a way that moves money. A plug-in
     * that does not implement it sets `DescribeGateway.looks_up` to false; a payment in doubt then stays open until Zuora
     * asks again and the repeated call is approved.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<internal.payorch.v1.LookUpResponse> lookUp(
        internal.payorch.v1.LookUpRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getLookUpMethod(), getCallOptions()), request);
    }
  }

  private static final int METHODID_DESCRIBE_GATEWAY = 0;
  private static final int METHODID_VALIDATE_PAYMENT_METHOD = 1;
  private static final int METHODID_PROCESS_PAYMENT = 2;
  private static final int METHODID_PROCESS_REFUND = 3;
  private static final int METHODID_LOOK_UP = 4;

  private static final class MethodHandlers<Req, Resp> implements
      io.grpc.stub.ServerCalls.UnaryMethod<Req, Resp>,
      io.grpc.stub.ServerCalls.ServerStreamingMethod<Req, Resp>,
      io.grpc.stub.ServerCalls.ClientStreamingMethod<Req, Resp>,
      io.grpc.stub.ServerCalls.BidiStreamingMethod<Req, Resp> {
    private final AsyncService serviceImpl;
    private final int methodId;

    MethodHandlers(AsyncService serviceImpl, int methodId) {
      this.serviceImpl = serviceImpl;
      this.methodId = methodId;
    }

    @java.lang.Override
    @java.lang.SuppressWarnings("unchecked")
    public void invoke(Req request, io.grpc.stub.StreamObserver<Resp> responseObserver) {
      switch (methodId) {
        case METHODID_DESCRIBE_GATEWAY:
          serviceImpl.describeGateway((internal.payorch.v1.DescribeGatewayRequest) request,
              (io.grpc.stub.StreamObserver<internal.payorch.v1.DescribeGatewayResponse>) responseObserver);
          break;
        case METHODID_VALIDATE_PAYMENT_METHOD:
          serviceImpl.validatePaymentMethod((internal.payorch.v1.ValidatePaymentMethodRequest) request,
              (io.grpc.stub.StreamObserver<internal.payorch.v1.ValidatePaymentMethodResponse>) responseObserver);
          break;
        case METHODID_PROCESS_PAYMENT:
          serviceImpl.processPayment((internal.payorch.v1.ProcessPaymentRequest) request,
              (io.grpc.stub.StreamObserver<internal.payorch.v1.ProcessPaymentResponse>) responseObserver);
          break;
        case METHODID_PROCESS_REFUND:
          serviceImpl.processRefund((internal.payorch.v1.ProcessRefundRequest) request,
              (io.grpc.stub.StreamObserver<internal.payorch.v1.ProcessRefundResponse>) responseObserver);
          break;
        case METHODID_LOOK_UP:
          serviceImpl.lookUp((internal.payorch.v1.LookUpRequest) request,
              (io.grpc.stub.StreamObserver<internal.payorch.v1.LookUpResponse>) responseObserver);
          break;
        default:
          throw new AssertionError();
      }
    }

    @java.lang.Override
    @java.lang.SuppressWarnings("unchecked")
    public io.grpc.stub.StreamObserver<Req> invoke(
        io.grpc.stub.StreamObserver<Resp> responseObserver) {
      switch (methodId) {
        default:
          throw new AssertionError();
      }
    }
  }

  public static final io.grpc.ServerServiceDefinition bindService(AsyncService service) {
    return io.grpc.ServerServiceDefinition.builder(getServiceDescriptor())
        .addMethod(
          getDescribeGatewayMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              internal.payorch.v1.DescribeGatewayRequest,
              internal.payorch.v1.DescribeGatewayResponse>(
                service, METHODID_DESCRIBE_GATEWAY)))
        .addMethod(
          getValidatePaymentMethodMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              internal.payorch.v1.ValidatePaymentMethodRequest,
              internal.payorch.v1.ValidatePaymentMethodResponse>(
                service, METHODID_VALIDATE_PAYMENT_METHOD)))
        .addMethod(
          getProcessPaymentMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              internal.payorch.v1.ProcessPaymentRequest,
              internal.payorch.v1.ProcessPaymentResponse>(
                service, METHODID_PROCESS_PAYMENT)))
        .addMethod(
          getProcessRefundMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              internal.payorch.v1.ProcessRefundRequest,
              internal.payorch.v1.ProcessRefundResponse>(
                service, METHODID_PROCESS_REFUND)))
        .addMethod(
          getLookUpMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              internal.payorch.v1.LookUpRequest,
              internal.payorch.v1.LookUpResponse>(
                service, METHODID_LOOK_UP)))
        .build();
  }

  private static abstract class PaymentGatewayServiceBaseDescriptorSupplier
      implements io.grpc.protobuf.ProtoFileDescriptorSupplier, io.grpc.protobuf.ProtoServiceDescriptorSupplier {
    PaymentGatewayServiceBaseDescriptorSupplier() {}

    @java.lang.Override
    public com.google.protobuf.Descriptors.FileDescriptor getFileDescriptor() {
      return internal.payorch.v1.PaymentGatewayServiceProto.getDescriptor();
    }

    @java.lang.Override
    public com.google.protobuf.Descriptors.ServiceDescriptor getServiceDescriptor() {
      return getFileDescriptor().findServiceByName("PaymentGatewayService");
    }
  }

  private static final class PaymentGatewayServiceFileDescriptorSupplier
      extends PaymentGatewayServiceBaseDescriptorSupplier {
    PaymentGatewayServiceFileDescriptorSupplier() {}
  }

  private static final class PaymentGatewayServiceMethodDescriptorSupplier
      extends PaymentGatewayServiceBaseDescriptorSupplier
      implements io.grpc.protobuf.ProtoMethodDescriptorSupplier {
    private final java.lang.String methodName;

    PaymentGatewayServiceMethodDescriptorSupplier(java.lang.String methodName) {
      this.methodName = methodName;
    }

    @java.lang.Override
    public com.google.protobuf.Descriptors.MethodDescriptor getMethodDescriptor() {
      return getServiceDescriptor().findMethodByName(methodName);
    }
  }

  private static volatile io.grpc.ServiceDescriptor serviceDescriptor;

  public static io.grpc.ServiceDescriptor getServiceDescriptor() {
    io.grpc.ServiceDescriptor result = serviceDescriptor;
    if (result == null) {
      synchronized (PaymentGatewayServiceGrpc.class) {
        result = serviceDescriptor;
        if (result == null) {
          serviceDescriptor = result = io.grpc.ServiceDescriptor.newBuilder(SERVICE_NAME)
              .setSchemaDescriptor(new PaymentGatewayServiceFileDescriptorSupplier())
              .addMethod(getDescribeGatewayMethod())
              .addMethod(getValidatePaymentMethodMethod())
              .addMethod(getProcessPaymentMethod())
              .addMethod(getProcessRefundMethod())
              .addMethod(getLookUpMethod())
              .build();
        }
      }
    }
    return result;
  }
}
