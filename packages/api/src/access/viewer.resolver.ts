import { Ctx, Field, ObjectType, Query, Resolver } from "type-graphql";
import type { Context } from "../graphql/context.js";
import { RoleEnum } from "../graphql/enums.js";
import { Requires } from "../graphql/policy.js";
import type { Role } from "../kernel/permissions.js";

@ObjectType({ description: "Who asks." })
export class Viewer {
  @Field(() => String) kind!: string;
  @Field(() => String) name!: string;
  @Field(() => RoleEnum) role!: Role;
}

@Resolver()
export class ViewerResolver {
  @Query(() => Viewer)
  @Requires("read")
  async viewer(@Ctx() { scope }: Context) {
    return scope.principal;
  }
}
